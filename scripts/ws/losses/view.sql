-- What was lost in 10 seconds, over the last hour: nothing is dropped without a row here.
SELECT
  date_bin(INTERVAL '10 seconds', time_) AS time_,
  node,
  source,
  reason,
  sum(count) AS count,
  sum(bytes) AS bytes
FROM system.losses
WHERE system.losses.time_ > now() - INTERVAL '1 hour'
GROUP BY date_bin(INTERVAL '10 seconds', system.losses.time_), node, source, reason
