-- DNS questions of each service, pod or process in the last minute, and how many had no answer or one that is an error
-- (no such name, server failure, refused).
SELECT
  requestor,
  sum(queries) AS queries,
  sum(failures) AS failures,
  CAST(sum(failures) AS DOUBLE) / CAST(sum(queries) AS DOUBLE) AS failure_rate
FROM (
  SELECT best_name(upid) AS requestor, queries, failures
  FROM (
    SELECT upid, count(*) AS queries, sum(CASE WHEN failed THEN 1 ELSE 0 END) AS failures
    FROM dns_events
    WHERE time_ > now() - INTERVAL '1 minute' AND trace_role = 1
    GROUP BY upid
  ) AS d
) AS named
GROUP BY requestor
