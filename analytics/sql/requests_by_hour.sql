-- Every hour since, those without a request too.
SELECT start, coalesce(sum(requests), 0)::bigint AS requests,
    coalesce(sum(requests) FILTER (WHERE status >= 500), 0)::bigint AS errors,
    coalesce(sum(requests) FILTER (WHERE status BETWEEN 400 AND 499), 0)::bigint AS refusals
FROM generate_series(date_trunc('hour', %(since)s::timestamptz, 'UTC'), statement_timestamp(), '1 hour') AS start
LEFT JOIN (
    SELECT start, status, requests FROM analytics_requestrollup
    WHERE period = 'hour' AND route = '*' AND start >= date_trunc('hour', %(since)s::timestamptz, 'UTC')
) counted USING (start)
GROUP BY start ORDER BY start
