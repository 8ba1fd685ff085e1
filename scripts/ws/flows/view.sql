-- Bytes and connections between a service, pod or process and its peers over the last 5 minutes, whatever the protocol.
-- Both ends have a row when both are on this node: what one sent, the other received.
SELECT
  local,
  local_kind,
  remote,
  remote_kind,
  trace_role,
  protocol,
  sum(bytes_sent) AS bytes_sent,
  sum(bytes_received) AS bytes_received,
  sum(opened) AS opened,
  sum(closed) AS closed,
  sum(active) AS active
FROM (
  SELECT
    CASE
      WHEN upid_to_service_name(upid) <> '' THEN first_name(upid_to_service_name(upid))
      WHEN upid_to_pod_name(upid) <> '' THEN upid_to_pod_name(upid)
      WHEN upid_to_process_name(upid) <> '' THEN upid_to_process_name(upid) || '@' || upid_to_hostname(upid)
      ELSE 'unknown'
    END AS local,
    CASE
      WHEN upid_to_service_name(upid) <> '' THEN 'service'
      WHEN upid_to_pod_name(upid) <> '' THEN 'pod'
      WHEN upid_to_process_name(upid) <> '' THEN 'process'
      ELSE 'process'
    END AS local_kind,
    CASE
      WHEN upid_to_service_name(remote_upid) <> '' THEN first_name(upid_to_service_name(remote_upid))
      WHEN upid_to_pod_name(remote_upid) <> '' THEN upid_to_pod_name(remote_upid)
      WHEN upid_to_process_name(remote_upid) <> '' THEN upid_to_process_name(remote_upid) || '@' || upid_to_hostname(remote_upid)
      WHEN ip_to_service_name(remote_addr) <> '' THEN ip_to_service_name(remote_addr)
      WHEN pod_id_to_service_name(ip_to_pod_id(remote_addr)) <> '' THEN first_name(pod_id_to_service_name(ip_to_pod_id(remote_addr)))
      WHEN ip_to_pod_name(remote_addr) <> '' THEN ip_to_pod_name(remote_addr)
      WHEN remote_addr <> '-' THEN remote_addr
      ELSE 'unknown'
    END AS remote,
    CASE
      WHEN upid_to_service_name(remote_upid) <> '' THEN 'service'
      WHEN upid_to_pod_name(remote_upid) <> '' THEN 'pod'
      WHEN upid_to_process_name(remote_upid) <> '' THEN 'process'
      WHEN ip_to_service_name(remote_addr) <> '' THEN 'service'
      WHEN pod_id_to_service_name(ip_to_pod_id(remote_addr)) <> '' THEN 'service'
      WHEN ip_to_pod_name(remote_addr) <> '' THEN 'pod'
      ELSE 'address'
    END AS remote_kind,
    c.trace_role,
    CASE c.protocol
      WHEN 1 THEN 'http'
      WHEN 2 THEN 'http2'
      WHEN 3 THEN 'mysql'
      WHEN 4 THEN 'cql'
      WHEN 5 THEN 'postgresql'
      WHEN 6 THEN 'dns'
      WHEN 7 THEN 'redis'
      WHEN 8 THEN 'nats'
      WHEN 9 THEN 'mongodb'
      WHEN 10 THEN 'kafka'
      WHEN 11 THEN 'mux'
      WHEN 12 THEN 'amqp'
      WHEN 13 THEN 'tls'
      ELSE 'unknown'
    END AS protocol,
    c.bytes_sent,
    c.bytes_received,
    c.opened,
    c.closed,
    c.active
  FROM (
    SELECT
      upid,
      remote_addr,
      remote_port,
      trace_role,
      addr_family,
      protocol,
      ssl,
      last(remote_upid, time_) AS remote_upid,
      sum(sent) AS bytes_sent,
      sum(received) AS bytes_received,
      sum(opened) AS opened,
      sum(closed) AS closed,
      last(conn_active, time_) AS active
    FROM conn_stats
    WHERE time_ > now() - INTERVAL '5 minutes'
    GROUP BY upid, remote_addr, remote_port, trace_role, addr_family, protocol, ssl
  ) AS c
) AS named
GROUP BY local, local_kind, remote, remote_kind, trace_role, protocol
