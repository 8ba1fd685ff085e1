-- Who calls whom in any protocol: requestor, responder and protocol over the last 5 minutes.
-- An exchange seen from both sides is counted once, by the row of the server.
-- A name is the best known one: service, pod, process, address; an address is its owner's at the time of the exchange.
-- Exchanges are summed by process, address and the span of time in which the address had one owner, and named
-- afterwards, so a name that comes late costs little.
SELECT
  requestor,
  requestor_kind,
  responder,
  responder_kind,
  protocol,
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
    protocol,
    encrypted,
    sum(requests) AS requests,
    sum(errors) AS errors,
    sum(bytes_sent) AS bytes_sent,
    sum(bytes_received) AS bytes_received,
    merge_histogram(latencies) AS latencies
  FROM (
    SELECT
      CASE WHEN trace_role = 2 THEN remote ELSE local END AS requestor,
      CASE WHEN trace_role = 2 THEN remote_kind ELSE local_kind END AS requestor_kind,
      CASE WHEN trace_role = 2 THEN local ELSE remote END AS responder,
      CASE WHEN trace_role = 2 THEN local_kind ELSE remote_kind END AS responder_kind,
      protocol,
      encrypted,
      requests,
      errors,
      bytes_sent,
      bytes_received,
      latencies
    FROM (
      SELECT
        best_name(upid) AS local,
        best_name_kind(upid) AS local_kind,
        best_name(remote_upid, remote_addr, since) AS remote,
        best_name_kind(remote_upid, remote_addr, since) AS remote_kind,
        trace_role,
        protocol,
        encrypted,
        requests,
        errors,
        bytes_sent,
        bytes_received,
        latencies
      FROM (
        SELECT
          upid,
          remote_upid,
          remote_addr,
          owned_since(remote_addr, time_) AS since,
          trace_role,
          encrypted,
          protocol,
          count(*) AS requests,
          sum(CASE WHEN failure THEN 1 ELSE 0 END) AS errors,
          sum(req_bytes) AS bytes_sent,
          sum(resp_bytes) AS bytes_received,
          histogram(latency) AS latencies
        FROM (
          SELECT time_, upid, remote_upid, remote_addr, trace_role, encrypted, CASE WHEN major_version = 2 AND content_type = 2 THEN 'grpc' WHEN major_version = 2 THEN 'http2' ELSE 'http' END AS protocol, resp_status >= 400 AS failure, req_bytes, resp_bytes, latency
          FROM http_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, encrypted, 'mysql' AS protocol, failed AS failure, req_bytes, resp_bytes, latency
          FROM mysql_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, encrypted, 'postgresql' AS protocol, failed AS failure, req_bytes, resp_bytes, latency
          FROM pgsql_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, encrypted, 'cql' AS protocol, failed AS failure, req_bytes, resp_bytes, latency
          FROM cql_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, encrypted, 'redis' AS protocol, failed AS failure, req_bytes, resp_bytes, latency
          FROM redis_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, encrypted, 'dns' AS protocol, failed AS failure, req_bytes, resp_bytes, latency
          FROM dns_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, encrypted, 'kafka' AS protocol, failed AS failure, req_bytes, resp_bytes, latency
          FROM kafka_events.beta
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, encrypted, 'mongodb' AS protocol, failed AS failure, req_bytes, resp_bytes, latency
          FROM mongodb_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, encrypted, 'amqp' AS protocol, failed AS failure, req_bytes, resp_bytes, latency
          FROM amqp_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, encrypted, 'nats' AS protocol, failed AS failure, req_bytes, resp_bytes, latency
          FROM nats_events.beta
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, encrypted, 'mux' AS protocol, failed AS failure, req_bytes, resp_bytes, latency
          FROM mux_events
        ) AS exchanges
        WHERE time_ > now() - INTERVAL '5 minutes' AND NOT (trace_role = 1 AND upid_is_known(remote_upid))
        GROUP BY upid, remote_upid, remote_addr, owned_since(remote_addr, time_), trace_role, encrypted, protocol
      ) AS summed
    ) AS named
  ) AS directed
  GROUP BY requestor, requestor_kind, responder, responder_kind, protocol, encrypted
) AS edges
