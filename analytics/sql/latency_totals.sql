SELECT route, method, status_class, power(1.2::float8, bucket + 1) / 1000000 AS le, requests
FROM analytics_latencyrollup WHERE period = 'total' ORDER BY route, method, status_class, bucket
