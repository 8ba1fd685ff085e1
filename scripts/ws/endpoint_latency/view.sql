-- What each endpoint of a responder answers, how often and how fast, over the last 5 minutes, in any protocol.
-- HTTP: the method and the path with ids as `{}`; SQL: the normalised statement; Redis, MongoDB, Kafka, AMQP: the
-- command. An exchange seen from both sides is counted once, by the row of the server.
SELECT
  responder,
  protocol,
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
    protocol,
    endpoint,
    sum(requests) AS requests,
    sum(errors) AS errors,
    merge_histogram(latencies) AS latencies,
    max(latency_max) AS latency_max
  FROM (
    SELECT
      best_name(responder_upid, responder_addr, since) AS responder,
      protocol,
      endpoint,
      requests,
      errors,
      latencies,
      latency_max
    FROM (
      SELECT
        CASE WHEN trace_role = 2 THEN upid ELSE remote_upid END AS responder_upid,
        CASE WHEN trace_role = 2 THEN '-' ELSE remote_addr END AS responder_addr,
        owned_since(CASE WHEN trace_role = 2 THEN '-' ELSE remote_addr END, time_) AS since,
        protocol,
        endpoint,
        count(*) AS requests,
        sum(CASE WHEN failure THEN 1 ELSE 0 END) AS errors,
        histogram(latency) AS latencies,
        max(latency) AS latency_max
      FROM (
          SELECT time_, upid, remote_upid, remote_addr, trace_role, CASE WHEN major_version = 2 AND content_type = 2 THEN 'grpc' WHEN major_version = 2 THEN 'http2' ELSE 'http' END AS protocol, CASE WHEN content_type = 2 THEN req_path ELSE req_method || ' ' || http_endpoint(req_path) END AS endpoint, resp_status >= 400 AS failure, latency
          FROM http_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, 'mysql' AS protocol, sql_endpoint(req_body) AS endpoint, failed AS failure, latency
          FROM mysql_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, 'postgresql' AS protocol, sql_endpoint(req) AS endpoint, failed AS failure, latency
          FROM pgsql_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, 'cql' AS protocol, sql_endpoint(req_body) AS endpoint, failed AS failure, latency
          FROM cql_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, 'redis' AS protocol, req_cmd AS endpoint, failed AS failure, latency
          FROM redis_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, 'dns' AS protocol, pluck(pluck_array(pluck(req_body, 'queries'), 0), 'name') AS endpoint, failed AS failure, latency
          FROM dns_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, 'kafka' AS protocol, kafka_api_key_name(req_cmd) AS endpoint, failed AS failure, latency
          FROM kafka_events.beta
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, 'mongodb' AS protocol, req_cmd AS endpoint, failed AS failure, latency
          FROM mongodb_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, 'amqp' AS protocol, amqp_method_name(req_class_id, req_method_id) AS endpoint, failed AS failure, latency
          FROM amqp_events
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, 'nats' AS protocol, cmd AS endpoint, failed AS failure, latency
          FROM nats_events.beta
          UNION ALL
          SELECT time_, upid, remote_upid, remote_addr, trace_role, 'mux' AS protocol, mux_frame_type_name(req_type) AS endpoint, failed AS failure, latency
          FROM mux_events
      ) AS exchanges
      WHERE time_ > now() - INTERVAL '5 minutes' AND NOT (trace_role = 1 AND upid_is_known(remote_upid))
      GROUP BY
        CASE WHEN trace_role = 2 THEN upid ELSE remote_upid END,
        CASE WHEN trace_role = 2 THEN '-' ELSE remote_addr END,
        owned_since(CASE WHEN trace_role = 2 THEN '-' ELSE remote_addr END, time_),
        protocol,
        endpoint
    ) AS summed
  ) AS named
  GROUP BY responder, protocol, endpoint
) AS endpoints
