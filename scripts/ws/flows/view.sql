-- Bytes and connections between a service, pod or process and its peers over the last 5 minutes, whatever the protocol.
-- Both ends have a row when both are on this node: what one sent, the other received. Connections are active to who has
-- the address at present, bytes went to who had it then.
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
    best_name(upid) AS local,
    best_name_kind(upid) AS local_kind,
    best_name(remote_upid, remote_addr, since) AS remote,
    best_name_kind(remote_upid, remote_addr, since) AS remote_kind,
    c.trace_role,
    protocol_label(c.protocol) AS protocol,
    c.bytes_sent,
    c.bytes_received,
    c.opened,
    c.closed,
    CASE WHEN c.since = owned_since(remote_addr) THEN c.active ELSE 0 END AS active
  FROM (
    SELECT
      upid,
      remote_addr,
      owned_since(remote_addr, time_) AS since,
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
    GROUP BY
      upid,
      remote_addr,
      owned_since(remote_addr, time_),
      remote_port,
      trace_role,
      addr_family,
      protocol,
      ssl
  ) AS c
) AS named
GROUP BY local, local_kind, remote, remote_kind, trace_role, protocol
