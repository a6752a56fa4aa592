-- A percentile is the middle of the bucket in which its request lies, by ratio: at most a tenth off.
WITH counted AS (
    SELECT start, bucket, sum(requests) AS requests FROM analytics_latencyrollup
    WHERE period = %(period)s AND start >= date_trunc(%(period)s, %(since)s::timestamptz, 'UTC')
        AND route = %(route)s
    GROUP BY start, bucket
), running AS (
    SELECT start, bucket, sum(requests) OVER (PARTITION BY start ORDER BY bucket) AS sofar,
        sum(requests) OVER (PARTITION BY start) AS requests
    FROM counted
)
SELECT start, requests::bigint,
    power(1.2::float8, 0.5 + min(bucket) FILTER (WHERE sofar >= 0.50 * requests)) / 1000 AS p50_ms,
    power(1.2::float8, 0.5 + min(bucket) FILTER (WHERE sofar >= 0.95 * requests)) / 1000 AS p95_ms,
    power(1.2::float8, 0.5 + min(bucket) FILTER (WHERE sofar >= 0.99 * requests)) / 1000 AS p99_ms
FROM running GROUP BY start, requests ORDER BY start
