-- Edges of the last 5 minutes that had no traffic between two hours and one hour ago.
-- An edge is new for an hour; while nothing is known of an hour ago, nothing is new.
WITH recent AS (
  SELECT
    upid,
    remote_upid,
    remote_addr,
    owned_since(remote_addr, time_) AS since,
    trace_role,
    min(time_) AS first_seen,
    sum(sent) + sum(received) AS bytes
  FROM conn_stats
  WHERE time_ > now() - INTERVAL '5 minutes'
  GROUP BY upid, remote_upid, remote_addr, owned_since(remote_addr, time_), trace_role
),
earlier AS (
  SELECT upid, remote_upid, remote_addr, owned_since(remote_addr, time_) AS since, trace_role
  FROM conn_stats
  WHERE time_ > now() - INTERVAL '2 hours' AND time_ < now() - INTERVAL '1 hour'
  GROUP BY upid, remote_upid, remote_addr, owned_since(remote_addr, time_), trace_role
),
recent_edges AS (
  SELECT
    best_name(upid) AS local,
    best_name(remote_upid, remote_addr, since) AS remote,
    CASE trace_role WHEN 1 THEN 'calls' WHEN 2 THEN 'is called by' ELSE 'talks to' END AS relation,
    first_seen,
    bytes
  FROM recent
),
earlier_edges AS (
  SELECT DISTINCT
    best_name(upid) AS local,
    best_name(remote_upid, remote_addr, since) AS remote
  FROM earlier
),
history AS (
  SELECT 1 AS one, count(*) AS n FROM earlier
)
SELECT e.local, e.relation, e.remote, e.first_seen, e.bytes
FROM (
  SELECT local, relation, remote, min(first_seen) AS first_seen, sum(bytes) AS bytes, 1 AS one
  FROM recent_edges
  GROUP BY local, relation, remote
) AS e
JOIN history AS h ON e.one = h.one
WHERE h.n > 0 AND NOT EXISTS (SELECT 1 FROM earlier_edges AS b WHERE b.local = e.local AND b.remote = e.remote)
