SELECT route, method, status, requests, micros / 1000000.0::float8 AS seconds FROM analytics_requestrollup
WHERE period = 'total' ORDER BY route, method, status
