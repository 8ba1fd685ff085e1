-- What each endpoint of a responder answers, how often and how fast, over the last 5 minutes.
-- An endpoint is the method and the path with ids as `{}`. An exchange seen from both sides is counted once, by the
-- row of the server.
SELECT
  responder,
  'http' AS protocol,
  endpoint,
  requests,
  errors,
  CAST(errors AS DOUBLE) / CAST(requests AS DOUBLE) AS error_rate,
  histogram_quantile(latencies, 0.5) AS latency_p50,
  histogram_quantile(latencies, 0.9) AS latency_p90,
  histogram_quantile(latencies, 0.99) AS latency_p99,
  latency_max
FROM (
  SELECT
    responder,
    endpoint,
    sum(requests) AS requests,
    sum(errors) AS errors,
    merge_histogram(latencies) AS latencies,
    max(latency_max) AS latency_max
  FROM (
    SELECT
      CASE
        WHEN p.name <> '' THEN p.name || '@' || p.host
        WHEN e.responder_addr <> '-' THEN e.responder_addr
        ELSE 'unknown'
      END AS responder,
      e.endpoint,
      e.requests,
      e.errors,
      e.latencies,
      e.latency_max
    FROM (
      SELECT
        responder_upid,
        responder_addr,
        endpoint,
        count(*) AS requests,
        sum(CASE WHEN resp_status >= 400 THEN 1 ELSE 0 END) AS errors,
        histogram(latency) AS latencies,
        max(latency) AS latency_max
      FROM (
        SELECT
          CASE WHEN trace_role = 2 THEN upid ELSE remote_upid END AS responder_upid,
          CASE WHEN trace_role = 2 THEN '-' ELSE remote_addr END AS responder_addr,
          req_method || ' ' || http_endpoint(req_path) AS endpoint,
          resp_status,
          latency
        FROM http_events
        WHERE time_ > now() - INTERVAL '5 minutes' AND NOT (trace_role = 1 AND upid_is_known(remote_upid))
      ) AS exchanges
      GROUP BY responder_upid, responder_addr, endpoint
    ) AS e
    LEFT JOIN processes AS p ON e.responder_upid = p.upid
  ) AS named
  GROUP BY responder, endpoint
) AS endpoints
