DELETE FROM analytics_vendorrollup WHERE period = 'total';
INSERT INTO analytics_vendorrollup
    (period, start, vendor, operation, model, outcome, calls, duration_ms, cost_micros, unpriced)
SELECT 'total', 'epoch', vendor, operation, model, outcome,
    sum(calls), sum(duration_ms), sum(cost_micros), sum(unpriced)
FROM analytics_vendorrollup WHERE period = 'day' GROUP BY vendor, operation, model, outcome;
