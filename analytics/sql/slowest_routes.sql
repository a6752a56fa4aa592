-- By the time that one request in twenty took longer than; see percentiles.sql.
WITH counted AS (
    SELECT route, method, bucket, sum(requests) AS requests,
        sum(requests) FILTER (WHERE status_class >= 5) AS errors
    FROM analytics_latencyrollup
    WHERE period = %(period)s AND start >= date_trunc(%(period)s, %(since)s::timestamptz, 'UTC') AND route <> '*'
    GROUP BY route, method, bucket
), running AS (
    SELECT route, method, bucket, errors, sum(requests) OVER (PARTITION BY route, method ORDER BY bucket) AS sofar,
        sum(requests) OVER (PARTITION BY route, method) AS requests
    FROM counted
)
SELECT route, method, requests::bigint, coalesce(sum(errors), 0)::bigint AS errors,
    power(1.2::float8, 0.5 + min(bucket) FILTER (WHERE sofar >= 0.50 * requests)) / 1000 AS p50_ms,
    power(1.2::float8, 0.5 + min(bucket) FILTER (WHERE sofar >= 0.95 * requests)) / 1000 AS p95_ms,
    power(1.2::float8, 0.5 + min(bucket) FILTER (WHERE sofar >= 0.99 * requests)) / 1000 AS p99_ms
FROM running WHERE requests >= %(least)s
GROUP BY route, method, requests ORDER BY p95_ms DESC, requests DESC LIMIT %(limit)s
