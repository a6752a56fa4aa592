-- The same by user; what was spent on nobody has no name.
WITH dearest AS (
    SELECT subject FROM analytics_spendrollup
    WHERE about = 'user' AND start >= date_trunc('day', %(since)s::timestamptz, 'UTC')
    GROUP BY subject ORDER BY sum(cost_micros) DESC, subject LIMIT %(limit)s
)
SELECT (start AT TIME ZONE 'UTC')::date AS day, nullif(subject, '00000000-0000-0000-0000-000000000000') AS name, calls,
    NULL::bigint AS errors, cost_micros, NULL::bigint AS unpriced
FROM analytics_spendrollup JOIN dearest USING (subject)
WHERE about = 'user' AND start >= date_trunc('day', %(since)s::timestamptz, 'UTC')
ORDER BY start, cost_micros DESC, subject
