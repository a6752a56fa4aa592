DELETE FROM analytics_requestrollup WHERE period = 'total';
INSERT INTO analytics_requestrollup (period, start, route, method, status, requests, micros)
SELECT 'total', 'epoch', route, method, status, sum(requests), sum(micros)
FROM analytics_requestrollup WHERE period = 'day' AND route <> '*' GROUP BY route, method, status;
DELETE FROM analytics_latencyrollup WHERE period = 'total';
INSERT INTO analytics_latencyrollup (period, start, route, method, status_class, bucket, requests)
SELECT 'total', 'epoch', route, method, status_class, bucket / 4 * 4 + 3, sum(requests)
FROM analytics_latencyrollup WHERE period = 'day' AND route <> '*' GROUP BY 3, 4, 5, 6;
