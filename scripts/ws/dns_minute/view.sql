-- DNS questions of each process in the last minute, and how many had no answer or one that is an error (no such name,
-- server failure, refused).
SELECT
  requestor,
  sum(queries) AS queries,
  sum(failures) AS failures,
  CAST(sum(failures) AS DOUBLE) / CAST(sum(queries) AS DOUBLE) AS failure_rate
FROM (
  SELECT p.name || '@' || p.host AS requestor, d.queries, d.failures
  FROM (
    SELECT upid, count(*) AS queries, sum(CASE WHEN failed THEN 1 ELSE 0 END) AS failures
    FROM dns_events
    WHERE time_ > now() - INTERVAL '1 minute' AND trace_role = 1
    GROUP BY upid
  ) AS d
  JOIN processes AS p ON d.upid = p.upid
) AS named
GROUP BY requestor
