-- Requests of the last 5 minutes in which one small statement was sent at least 5 times.
-- A statement belongs to the request of its process that was under way when it was answered, if that was only one: where
-- requests overlap, nothing tells whose it was, and it is left out. Of requests longer than a second the last one or two
-- seconds are looked at.
WITH statements AS (
  SELECT upid, time_, latency, pluck(normalize_mysql(req_body, req_cmd), 'query') AS statement
  FROM mysql_events
  WHERE time_ > now() - INTERVAL '5 minutes' AND trace_role = 1 AND latency < 100000000
  UNION ALL
  SELECT upid, time_, latency, pluck(normalize_pgsql(req, req_cmd), 'query') AS statement
  FROM pgsql_events
  WHERE time_ > now() - INTERVAL '5 minutes' AND trace_role = 1 AND latency < 100000000
  UNION ALL
  SELECT upid, time_, latency, req_body AS statement
  FROM cql_events
  WHERE time_ > now() - INTERVAL '5 minutes' AND trace_role = 1 AND latency < 100000000
  UNION ALL
  SELECT upid, time_, latency, req_cmd AS statement
  FROM redis_events
  WHERE time_ > now() - INTERVAL '5 minutes' AND trace_role = 1 AND latency < 100000000
),
-- A second and how many of a statement were answered in it at one moment.
answered AS (
  SELECT upid, time_ns, time_ns / 1000000000 AS second, statement, count(*) AS n, sum(latency) AS cost
  FROM (SELECT upid, CAST(time_ AS BIGINT) AS time_ns, statement, latency FROM statements WHERE statement <> '') AS s
  GROUP BY upid, time_ns, statement
),
served AS (
  SELECT upid, CAST(time_ AS BIGINT) AS time_ns, latency, req_method || ' ' || req_path AS request
  FROM http_events
  WHERE time_ > now() - INTERVAL '5 minutes' AND trace_role = 2
),
requests AS (
  SELECT upid, time_ns, latency, request, time_ns / 1000000000 AS second FROM served
  UNION ALL
  SELECT upid, time_ns, latency, request, time_ns / 1000000000 - 1 AS second FROM served
),
within AS (
  SELECT
    a.upid,
    a.time_ns,
    a.statement,
    a.n,
    a.cost,
    count(*) AS requests,
    min(r.time_ns) AS ended_ns,
    min(r.latency) AS latency,
    min(r.request) AS request
  FROM answered AS a
  JOIN requests AS r ON a.upid = r.upid AND a.second = r.second
  WHERE a.time_ns <= r.time_ns AND a.time_ns >= r.time_ns - r.latency
  GROUP BY a.upid, a.time_ns, a.statement, a.n, a.cost
)
SELECT
  int64_to_time(ended_ns) AS time_,
  best_name(upid) AS responder,
  request,
  latency,
  statement,
  n AS statements,
  cost
FROM (
  SELECT upid, ended_ns, latency, request, statement, sum(n) AS n, sum(cost) AS cost
  FROM within
  WHERE requests = 1
  GROUP BY upid, ended_ns, latency, request, statement
) AS repeated
WHERE n >= 5
