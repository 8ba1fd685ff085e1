-- DNS questions of each service, pod or process in the last minute, and how many had no answer or one that is an error
-- (no such name, server failure, refused). Those that the name server did not serve, all but names that do not exist,
-- are counted beside: search lists ask for many names that do not exist.
SELECT
  requestor,
  sum(queries) AS queries,
  sum(failures) AS failures,
  CAST(sum(failures) AS DOUBLE) / CAST(sum(queries) AS DOUBLE) AS failure_rate,
  sum(unserved) AS unserved,
  CAST(sum(unserved) AS DOUBLE) / CAST(sum(queries) AS DOUBLE) AS unserved_rate
FROM (
  SELECT best_name(upid) AS requestor, queries, failures, unserved
  FROM (
    SELECT
      upid,
      count(*) AS queries,
      sum(CASE WHEN failed THEN 1 ELSE 0 END) AS failures,
      sum(CASE WHEN failed AND coalesce(pluck_int64(resp_header, 'rcode'), 2) <> 3 THEN 1 ELSE 0 END) AS unserved
    FROM dns_events
    WHERE time_ > now() - INTERVAL '1 minute' AND trace_role = 1
    GROUP BY upid
  ) AS d
) AS named
GROUP BY requestor
