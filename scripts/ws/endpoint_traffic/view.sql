-- How many requests each endpoint of a responder had in the last 20 seconds, in any protocol.
-- It is `ws/endpoint_minute` without latencies, with a window so short that requests which stay away are missed soon.
SELECT responder, protocol, endpoint, sum(requests) AS requests
FROM (
  SELECT best_name(responder_upid, responder_addr, since) AS responder, protocol, endpoint, requests
  FROM (
    SELECT
      CASE WHEN trace_role = 2 THEN upid ELSE remote_upid END AS responder_upid,
      CASE WHEN trace_role = 2 THEN '-' ELSE remote_addr END AS responder_addr,
      owned_since(CASE WHEN trace_role = 2 THEN '-' ELSE remote_addr END, time_) AS since,
      protocol,
      endpoint,
      count(*) AS requests
    FROM (
        SELECT time_, upid, remote_upid, remote_addr, trace_role, CASE WHEN major_version = 2 AND content_type = 2 THEN 'grpc' WHEN major_version = 2 THEN 'http2' ELSE 'http' END AS protocol, CASE WHEN content_type = 2 THEN req_path ELSE req_method || ' ' || http_endpoint(req_path) END AS endpoint
        FROM http_events
        UNION ALL
        SELECT time_, upid, remote_upid, remote_addr, trace_role, 'mysql' AS protocol, sql_endpoint(req_body) AS endpoint
        FROM mysql_events
        UNION ALL
        SELECT time_, upid, remote_upid, remote_addr, trace_role, 'postgresql' AS protocol, sql_endpoint(req) AS endpoint
        FROM pgsql_events
        UNION ALL
        SELECT time_, upid, remote_upid, remote_addr, trace_role, 'cql' AS protocol, sql_endpoint(req_body) AS endpoint
        FROM cql_events
        UNION ALL
        SELECT time_, upid, remote_upid, remote_addr, trace_role, 'redis' AS protocol, req_cmd AS endpoint
        FROM redis_events
        UNION ALL
        SELECT time_, upid, remote_upid, remote_addr, trace_role, 'dns' AS protocol, pluck(pluck_array(pluck(req_body, 'queries'), 0), 'name') AS endpoint
        FROM dns_events
        UNION ALL
        SELECT time_, upid, remote_upid, remote_addr, trace_role, 'kafka' AS protocol, kafka_api_key_name(req_cmd) AS endpoint
        FROM kafka_events.beta
        UNION ALL
        SELECT time_, upid, remote_upid, remote_addr, trace_role, 'mongodb' AS protocol, req_cmd AS endpoint
        FROM mongodb_events
        UNION ALL
        SELECT time_, upid, remote_upid, remote_addr, trace_role, 'amqp' AS protocol, amqp_method_name(req_class_id, req_method_id) AS endpoint
        FROM amqp_events
        UNION ALL
        SELECT time_, upid, remote_upid, remote_addr, trace_role, 'nats' AS protocol, cmd AS endpoint
        FROM nats_events.beta
        UNION ALL
        SELECT time_, upid, remote_upid, remote_addr, trace_role, 'mux' AS protocol, mux_frame_type_name(req_type) AS endpoint
        FROM mux_events
    ) AS exchanges
    WHERE time_ > now() - INTERVAL '20 seconds' AND NOT (trace_role = 1 AND upid_is_known(remote_upid))
    GROUP BY
      CASE WHEN trace_role = 2 THEN upid ELSE remote_upid END,
      CASE WHEN trace_role = 2 THEN '-' ELSE remote_addr END,
      owned_since(CASE WHEN trace_role = 2 THEN '-' ELSE remote_addr END, time_),
      protocol,
      endpoint
  ) AS summed
) AS named
GROUP BY responder, protocol, endpoint
