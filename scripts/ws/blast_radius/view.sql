-- Whom a service, pod or process reaches, in up to four hops, over the last 5 minutes. Read the other way round, who
-- suffers when `reached` fails: every `origin`.
WITH connected AS (
  SELECT upid, remote_upid, remote_addr, owned_since(remote_addr, time_) AS since, trace_role
  FROM conn_stats
  WHERE time_ > now() - INTERVAL '5 minutes' AND trace_role IN (1, 2)
  GROUP BY upid, remote_upid, remote_addr, owned_since(remote_addr, time_), trace_role
),
named AS (
  SELECT
    trace_role,
    best_name(upid) AS local,
    best_name(remote_upid, remote_addr, since) AS remote
  FROM connected
),
edges AS (
  SELECT DISTINCT
    CASE WHEN trace_role = 1 THEN local ELSE remote END AS origin,
    CASE WHEN trace_role = 1 THEN remote ELSE local END AS reached
  FROM named
  WHERE local <> remote AND local <> 'unknown' AND remote <> 'unknown'
),
two AS (SELECT DISTINCT a.origin, b.reached FROM edges AS a JOIN edges AS b ON a.reached = b.origin),
three AS (SELECT DISTINCT a.origin, b.reached FROM two AS a JOIN edges AS b ON a.reached = b.origin),
four AS (SELECT DISTINCT a.origin, b.reached FROM two AS a JOIN two AS b ON a.reached = b.origin)
SELECT origin, reached, min(hops) AS hops
FROM (
  SELECT origin, reached, 1 AS hops FROM edges
  UNION ALL
  SELECT origin, reached, 2 AS hops FROM two
  UNION ALL
  SELECT origin, reached, 3 AS hops FROM three
  UNION ALL
  SELECT origin, reached, 4 AS hops FROM four
) AS reach
WHERE origin <> reached
GROUP BY origin, reached
