-- An analysis that ran past midnight has a row on either day.
SELECT count(*) AS analyses, coalesce(round(avg(cost)), 0)::bigint AS mean_micros,
    coalesce(percentile_disc(0.50) WITHIN GROUP (ORDER BY cost), 0)::bigint AS p50_micros,
    coalesce(percentile_disc(0.95) WITHIN GROUP (ORDER BY cost), 0)::bigint AS p95_micros,
    coalesce(max(cost), 0)::bigint AS max_micros
FROM (
    SELECT sum(cost_micros) AS cost FROM analytics_spendrollup
    WHERE about = 'analysis' AND start >= date_trunc('day', %(since)s::timestamptz, 'UTC')
    GROUP BY subject
) spent
