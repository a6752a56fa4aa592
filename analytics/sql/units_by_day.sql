SELECT (start AT TIME ZONE 'UTC')::date AS day, vendor, operation, model, unit, amount FROM analytics_unitrollup
WHERE start >= date_trunc('day', %(since)s::timestamptz, 'UTC') ORDER BY start, vendor, operation, model, unit
