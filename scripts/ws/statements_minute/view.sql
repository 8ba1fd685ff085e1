-- SQL statements that a process sent in the last minute, beside the HTTP requests that it served meanwhile.
-- Many more queries than requests are a loop that asks once a line: the N+1 problem.
SELECT requestor, statement, sum(queries) AS queries, max(requests) AS requests
FROM (
  SELECT best_name(q.upid) AS requestor, q.statement, q.queries, r.requests
  FROM (
    SELECT upid, statement, count(*) AS queries
    FROM (
      SELECT upid, sql_endpoint(req) AS statement FROM pgsql_events
      WHERE time_ > now() - INTERVAL '1 minute' AND trace_role = 1
    ) AS sent
    GROUP BY upid, statement
    UNION ALL
    SELECT upid, statement, count(*) AS queries
    FROM (
      SELECT upid, sql_endpoint(req_body) AS statement FROM mysql_events
      WHERE time_ > now() - INTERVAL '1 minute' AND trace_role = 1
    ) AS sent
    GROUP BY upid, statement
  ) AS q
  JOIN (
    SELECT upid, count(*) AS requests FROM http_events
    WHERE time_ > now() - INTERVAL '1 minute' AND trace_role = 2
    GROUP BY upid
  ) AS r ON q.upid = r.upid
) AS named
GROUP BY requestor, statement
