-- Who calls whom: requestor, responder and protocol over the last 5 minutes.
-- An exchange seen from both sides is counted once, by the row of the server.
-- Exchanges are summed by process and address first and named afterwards, so a name that comes late costs little.
SELECT
  requestor,
  requestor_kind,
  responder,
  responder_kind,
  'http' AS protocol,
  encrypted,
  requests,
  errors,
  bytes_sent,
  bytes_received,
  histogram_quantile(latencies, 0.5) AS latency_p50,
  histogram_quantile(latencies, 0.9) AS latency_p90,
  histogram_quantile(latencies, 0.99) AS latency_p99
FROM (
  SELECT
    requestor,
    requestor_kind,
    responder,
    responder_kind,
    encrypted,
    sum(requests) AS requests,
    sum(errors) AS errors,
    sum(bytes_sent) AS bytes_sent,
    sum(bytes_received) AS bytes_received,
    merge_histogram(latencies) AS latencies
  FROM (
    SELECT
      CASE WHEN trace_role = 2 THEN remote ELSE local END AS requestor,
      CASE WHEN trace_role = 2 THEN remote_kind ELSE 'process' END AS requestor_kind,
      CASE WHEN trace_role = 2 THEN local ELSE remote END AS responder,
      CASE WHEN trace_role = 2 THEN 'process' ELSE remote_kind END AS responder_kind,
      encrypted,
      requests,
      errors,
      bytes_sent,
      bytes_received,
      latencies
    FROM (
      SELECT
        CASE WHEN l.name <> '' THEN l.name || '@' || l.host ELSE 'unknown' END AS local,
        CASE
          WHEN r.name <> '' THEN r.name || '@' || r.host
          WHEN e.remote_addr <> '-' THEN e.remote_addr
          ELSE 'unknown'
        END AS remote,
        CASE WHEN r.name <> '' THEN 'process' ELSE 'address' END AS remote_kind,
        e.trace_role,
        e.encrypted,
        e.requests,
        e.errors,
        e.bytes_sent,
        e.bytes_received,
        e.latencies
      FROM (
        SELECT
          upid,
          remote_upid,
          remote_addr,
          trace_role,
          encrypted,
          count(*) AS requests,
          sum(CASE WHEN resp_status >= 400 THEN 1 ELSE 0 END) AS errors,
          sum(req_bytes) AS bytes_sent,
          sum(resp_bytes) AS bytes_received,
          histogram(latency) AS latencies
        FROM http_events
        WHERE time_ > now() - INTERVAL '5 minutes' AND NOT (trace_role = 1 AND upid_is_known(remote_upid))
        GROUP BY upid, remote_upid, remote_addr, trace_role, encrypted
      ) AS e
      LEFT JOIN processes AS l ON e.upid = l.upid
      LEFT JOIN processes AS r ON e.remote_upid = r.upid
    ) AS named
  ) AS directed
  GROUP BY requestor, requestor_kind, responder, responder_kind, encrypted
) AS edges
