SELECT vendor, operation, model, outcome, calls, duration_ms / 1000.0::float8 AS seconds, cost_micros, unpriced
FROM analytics_vendorrollup WHERE period = 'total' ORDER BY vendor, operation, model, outcome
