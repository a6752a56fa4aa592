-- What the plans bring in, day by day, and what the vendors took for those who are on them. A subscription that ended
-- did so with its period, or when it was last touched, and at the latest when the next one began: nobody is on two plans
-- for a day. The day of a change belongs to the plan that was changed to. A trial brings nothing yet. Calls made for nobody, or for somebody without a subscription, are a row of their own.
WITH span AS (
    SELECT date_trunc('day', %(since)s::timestamptz, 'UTC') AS first,
        date_trunc('day', statement_timestamp(), 'UTC') + interval '1 day' AS after_last
), held AS (
    SELECT plan_id, user_id, status,
        greatest(date_trunc('day', created_at, 'UTC'), first) AS first,
        least(
            CASE WHEN status = ANY(%(live)s) THEN 'infinity'
                ELSE date_trunc('day', least(current_period_end, updated_at), 'UTC') END,
            date_trunc('day', lead(created_at) OVER (PARTITION BY user_id ORDER BY created_at, id), 'UTC'),
            after_last
        ) AS after_last
    FROM accounts_subscription, span WHERE status <> ALL(%(never)s)
), owed AS (
    SELECT plan_id, count(DISTINCT user_id) AS users,
        coalesce(sum(extract(day FROM after_last - first)) FILTER (WHERE status <> 'TRIAL'), 0) AS days
    FROM held WHERE first < after_last GROUP BY plan_id
), spent AS (
    SELECT plan_id, sum(cost_micros) AS micros
    FROM analytics_spendrollup LEFT JOIN held
        ON held.user_id = subject AND start >= held.first AND start < held.after_last
    WHERE about = 'user' AND start >= (SELECT first FROM span)
    GROUP BY plan_id
), brought AS (
    SELECT plan.id AS plan_id, slug, plan.price AS list_price, currency, users,
        round(days * plan.price * 10000 * CASE interval WHEN 'year' THEN 1 ELSE 12 END / 365)::bigint AS micros
    FROM owed JOIN accounts_plan plan ON plan.id = plan_id
)
SELECT slug AS plan, coalesce(currency, 'USD') AS currency, coalesce(users, 0) AS users,
    coalesce(brought.micros, 0) AS revenue_micros, coalesce(spent.micros, 0)::bigint AS spend_micros,
    -- Vendors are paid in dollars; what comes in another currency is not compared with them.
    CASE coalesce(currency, 'USD') WHEN 'USD' THEN coalesce(brought.micros, 0) - coalesce(spent.micros, 0)::bigint END
        AS margin_micros
FROM brought FULL JOIN spent USING (plan_id) ORDER BY list_price NULLS LAST, slug
