-- What each endpoint of a responder answered in the last minute, how often and how fast.
-- It is `endpoint_latency` with a window so short that a fault shows at once, and is gone soon after it.
SELECT
  responder,
  endpoint,
  requests,
  errors,
  CAST(errors AS DOUBLE) / CAST(requests AS DOUBLE) AS error_rate,
  histogram_quantile(latencies, 0.5) AS latency_p50,
  histogram_quantile(latencies, 0.9) AS latency_p90,
  histogram_quantile(latencies, 0.99) AS latency_p99
FROM (
  SELECT
    responder,
    endpoint,
    sum(requests) AS requests,
    sum(errors) AS errors,
    merge_histogram(latencies) AS latencies
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
      e.latencies
    FROM (
      SELECT
        responder_upid,
        responder_addr,
        endpoint,
        count(*) AS requests,
        sum(CASE WHEN resp_status >= 400 THEN 1 ELSE 0 END) AS errors,
        histogram(latency) AS latencies
      FROM (
        SELECT
          CASE WHEN trace_role = 2 THEN upid ELSE remote_upid END AS responder_upid,
          CASE WHEN trace_role = 2 THEN '-' ELSE remote_addr END AS responder_addr,
          req_method || ' ' || http_endpoint(req_path) AS endpoint,
          resp_status,
          latency
        FROM http_events
        WHERE time_ > now() - INTERVAL '1 minute' AND NOT (trace_role = 1 AND upid_is_known(remote_upid))
      ) AS exchanges
      GROUP BY responder_upid, responder_addr, endpoint
    ) AS e
    LEFT JOIN processes AS p ON e.responder_upid = p.upid
  ) AS named
  GROUP BY responder, endpoint
) AS endpoints
