-- Each vendor since a moment: how often it was called, how often that failed, with what most, and what it cost.
WITH seen AS (
    SELECT vendor, outcome, sum(calls) AS calls, sum(duration_ms) AS duration_ms, sum(cost_micros) AS cost_micros,
        sum(unpriced) AS unpriced
    FROM analytics_vendorrollup WHERE period = 'hour' AND start >= %(since)s GROUP BY vendor, outcome
)
SELECT vendor, sum(calls)::bigint AS calls, coalesce(sum(calls) FILTER (WHERE outcome <> 'ok'), 0)::bigint AS errors,
    (sum(duration_ms) / nullif(sum(calls), 0))::float8 AS mean_ms, sum(cost_micros)::bigint AS cost_micros,
    sum(unpriced)::bigint AS unpriced,
    coalesce((array_agg(outcome ORDER BY calls DESC, outcome) FILTER (WHERE outcome <> 'ok'))[1], '') AS worst
FROM seen GROUP BY vendor ORDER BY vendor
