-- Two prices for one thing at one moment cannot be. (A text cannot be part of such an index without an extension that is
-- not everywhere, so its hash is; halved, for a range needs room above its last number.)
ALTER TABLE analytics_vendorprice ADD CONSTRAINT one_price_at_a_time EXCLUDE USING gist (
    int8range(
        hashtextextended(vendor || E'\n' || operation || E'\n' || model || E'\n' || unit || E'\n' || tier_from, 0) / 2,
        hashtextextended(vendor || E'\n' || operation || E'\n' || model || E'\n' || unit || E'\n' || tier_from, 0) / 2,
        '[]'
    ) WITH &&,
    tstzrange(valid_from, valid_until) WITH &&
);

-- What a call cost, in micro-dollars. Null where anything it used has no price: a sum of the rest would be too low, and
-- look like the truth. What used nothing cost nothing.
CREATE FUNCTION vendor_cost(vendor text, operation text, model text, units jsonb, at timestamptz) RETURNS bigint
LANGUAGE sql STABLE AS $$
    WITH used AS (
        SELECT key AS unit, CASE jsonb_typeof(value) WHEN 'number' THEN least(value::numeric, 1e12) END AS amount
        FROM jsonb_each(CASE jsonb_typeof(units) WHEN 'object' THEN units ELSE '{"unknown": 1}' END)
        WHERE value <> '0'
    ), priced AS (
        SELECT amount * (
            SELECT micros_per_million FROM analytics_vendorprice price
            WHERE price.vendor = $1 AND price.operation IN ('', $2) AND price.model IN ('', $3) AND price.unit = used.unit
                AND $5 >= valid_from AND (valid_until IS NULL OR $5 < valid_until)
                AND (tier_from = 0 OR tier_from < (
                    SELECT sum(size.amount) FROM used size WHERE size.unit IN (tier_unit, 'cached_' || tier_unit)
                ))
            ORDER BY price.model <> '' DESC, price.operation <> '' DESC, tier_from DESC
            LIMIT 1
        ) AS cost
        FROM used
    )
    SELECT CASE WHEN bool_and(cost IS NOT NULL) IS NOT FALSE
        THEN least(coalesce(round(sum(cost) / 1000000), 0), 1e15)
    END::bigint
    FROM priced
$$;

CREATE FUNCTION price_vendor_call() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.cost_micros := vendor_cost(NEW.vendor, NEW.operation, NEW.model, NEW.units, NEW.created_at);
    RETURN NEW;
END $$;
CREATE TRIGGER price BEFORE INSERT ON analytics_externalapicalllog
    FOR EACH ROW EXECUTE FUNCTION price_vendor_call();

-- The roll-ups add up what each statement brings, whatever its month; the arguments say for which periods. Rows are
-- taken in one order, so that two batches at once wait for each other and never in a circle. Lengths are cut here, for
-- the tables that are counted take any.
CREATE FUNCTION roll_up_requests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH seen AS MATERIALIZED (
        SELECT date_trunc('hour', created_at, 'UTC') AS hour, left(route, 200) AS route, left(method, 10) AS method,
            status, count(*) AS requests, sum(least(greatest(duration_us, 0), 86400000000)) AS micros
        FROM fresh GROUP BY 1, 2, 3, 4
    ), named AS (
        SELECT * FROM seen
        UNION ALL SELECT hour, '*', '', status, sum(requests), sum(micros) FROM seen GROUP BY hour, status
    )
    INSERT INTO analytics_requestrollup AS sofar (period, start, route, method, status, requests, micros)
    SELECT period, CASE period WHEN 'total' THEN 'epoch' ELSE date_trunc(period, hour, 'UTC') END,
        route, method, status, sum(requests), sum(micros)
    FROM named JOIN unnest(TG_ARGV) AS period ON period <> 'total' OR route <> '*'
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (period, start, route, method, status) DO UPDATE
    SET requests = sofar.requests + excluded.requests, micros = sofar.micros + excluded.micros;

    -- From a tenth of a millisecond to an hour, in steps of a fifth: the middle of a step is never more than a tenth off.
    WITH seen AS MATERIALIZED (
        SELECT date_trunc('hour', created_at, 'UTC') AS hour, left(route, 200) AS route, left(method, 10) AS method,
            status / 100 AS status_class,
            floor(ln(least(greatest(duration_us, 100), 3600000000)::float8) / ln(1.2::float8))::int AS bucket,
            count(*) AS requests
        FROM fresh GROUP BY 1, 2, 3, 4, 5
    ), named AS (
        SELECT * FROM seen
        UNION ALL SELECT hour, '*', '', status_class, bucket, sum(requests) FROM seen GROUP BY hour, status_class, bucket
    )
    INSERT INTO analytics_latencyrollup AS sofar (period, start, route, method, status_class, bucket, requests)
    SELECT period, CASE period WHEN 'total' THEN 'epoch' ELSE date_trunc(period, hour, 'UTC') END,
        route, method, status_class, CASE period WHEN 'total' THEN bucket / 4 * 4 + 3 ELSE bucket END, sum(requests)
    FROM named JOIN unnest(TG_ARGV) AS period ON period <> 'total' OR route <> '*'
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (period, start, route, method, status_class, bucket) DO UPDATE
    SET requests = sofar.requests + excluded.requests;
    RETURN NULL;
END $$;
CREATE TRIGGER roll_up AFTER INSERT ON analytics_apiaccesslog REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION roll_up_requests('hour', 'day', 'total');

CREATE FUNCTION roll_up_vendor_calls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO analytics_vendorrollup AS sofar
        (period, start, vendor, operation, model, outcome, calls, duration_ms, cost_micros, unpriced)
    SELECT period, CASE period WHEN 'total' THEN 'epoch' ELSE date_trunc(period, created_at, 'UTC') END,
        left(vendor, 40), left(operation, 60), left(model, 80), left(outcome, 60),
        count(*), sum(greatest(duration_ms, 0)), coalesce(sum(cost_micros), 0), count(*) FILTER (WHERE cost_micros IS NULL)
    FROM fresh CROSS JOIN unnest(TG_ARGV) AS period
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (period, start, vendor, operation, model, outcome) DO UPDATE
    SET calls = sofar.calls + excluded.calls, duration_ms = sofar.duration_ms + excluded.duration_ms,
        cost_micros = sofar.cost_micros + excluded.cost_micros, unpriced = sofar.unpriced + excluded.unpriced;

    INSERT INTO analytics_unitrollup AS sofar (start, vendor, operation, model, unit, amount)
    SELECT date_trunc('day', created_at, 'UTC'), left(vendor, 40), left(operation, 60), left(model, 80), left(key, 40),
        sum(CASE jsonb_typeof(value) WHEN 'number' THEN least(value::numeric, 1e12) ELSE 0 END)
    FROM fresh CROSS JOIN jsonb_each(CASE jsonb_typeof(units) WHEN 'object' THEN units ELSE '{}' END)
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (start, vendor, operation, model, unit) DO UPDATE SET amount = sofar.amount + excluded.amount;

    INSERT INTO analytics_spendrollup AS sofar (start, about, subject, calls, cost_micros)
    SELECT date_trunc('day', created_at, 'UTC'), about, subject, count(*), coalesce(sum(cost_micros), 0)
    FROM fresh CROSS JOIN LATERAL (VALUES
        ('user', coalesce(user_id, '00000000-0000-0000-0000-000000000000')), ('analysis', analysis_id), ('chat', chat_id)
    ) of_whom (about, subject)
    WHERE subject IS NOT NULL
    GROUP BY 1, 2, 3 ORDER BY 2, 1, 3
    ON CONFLICT (about, start, subject) DO UPDATE
    SET calls = sofar.calls + excluded.calls, cost_micros = sofar.cost_micros + excluded.cost_micros;
    RETURN NULL;
END $$;
CREATE TRIGGER roll_up AFTER INSERT ON analytics_externalapicalllog REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION roll_up_vendor_calls('hour', 'day', 'total');

-- The rows of today are written again and again: room beside them spares their index.
ALTER TABLE analytics_requestrollup SET (fillfactor = 60);
ALTER TABLE analytics_latencyrollup SET (fillfactor = 60);
ALTER TABLE analytics_vendorrollup SET (fillfactor = 60);
ALTER TABLE analytics_unitrollup SET (fillfactor = 60);
ALTER TABLE analytics_spendrollup SET (fillfactor = 60);
