-- Bytes and connections between a process and its peers over the last 5 minutes, whatever the protocol.
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
    CASE WHEN l.name <> '' THEN l.name || '@' || l.host ELSE 'unknown' END AS local,
    'process' AS local_kind,
    CASE
      WHEN r.name <> '' THEN r.name || '@' || r.host
      WHEN c.remote_addr <> '-' THEN c.remote_addr
      ELSE 'unknown'
    END AS remote,
    CASE WHEN r.name <> '' THEN 'process' ELSE 'address' END AS remote_kind,
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
  LEFT JOIN processes AS l ON c.upid = l.upid
  LEFT JOIN processes AS r ON c.remote_upid = r.upid
) AS named
GROUP BY local, local_kind, remote, remote_kind, trace_role, protocol
