-- By day, for the dearest names of the whole time.
WITH spent AS (
    SELECT start, name, sum(calls) AS calls, sum(calls) FILTER (WHERE outcome <> 'ok') AS errors,
        sum(cost_micros) AS cost_micros, sum(unpriced) AS unpriced
    FROM analytics_vendorrollup, LATERAL (
        -- The name of an operation says little without its vendor's.
        SELECT CASE %(by)s WHEN 'model' THEN model WHEN 'operation' THEN vendor || ' ' || operation ELSE vendor END AS name
    ) named
    WHERE period = 'day' AND start >= date_trunc('day', %(since)s::timestamptz, 'UTC')
    GROUP BY start, name
), dearest AS (
    SELECT name FROM spent GROUP BY name ORDER BY sum(cost_micros) DESC, name LIMIT %(limit)s
)
SELECT (start AT TIME ZONE 'UTC')::date AS day, name, calls::bigint, coalesce(errors, 0)::bigint AS errors,
    cost_micros::bigint, unpriced::bigint
FROM spent JOIN dearest USING (name) ORDER BY start, cost_micros DESC, name
