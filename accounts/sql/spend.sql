-- Spend units and write the ledger row, or write nothing; the one row of the answer says how things stand.
-- A denial takes no lock and leaves no trace: the UPDATE finds no row to change.
WITH live AS (
    SELECT {limit} AS allowed
    FROM accounts_subscription JOIN accounts_plan plan ON plan.id = plan_id
    WHERE user_id = %(user)s::uuid AND status IN ({live})
), standing AS (
    SELECT user_id FROM accounts_usageentry
    WHERE source = %(source)s::text AND kind = %(kind)s::text
        AND (given_back_at IS NULL OR user_id <> %(user)s::uuid)
), spent AS (
    UPDATE accounts_userusage SET {used} = {used} + %(amount)s::int FROM live
    WHERE user_id = %(user)s::uuid AND platform = %(platform)s::text
        AND day = (statement_timestamp() AT TIME ZONE 'UTC')::date
        AND (allowed = -1 OR {used} + %(amount)s::int <= allowed)
        AND NOT EXISTS (SELECT FROM standing)
    RETURNING day, {used} AS used
), entry AS (
    INSERT INTO accounts_usageentry AS known (id, created_at, user_id, day, platform, kind, source, amount)
    SELECT %(id)s::uuid, statement_timestamp(), %(user)s::uuid, day, %(platform)s::text, %(kind)s::text,
        %(source)s::text, %(amount)s::int
    FROM spent
    ON CONFLICT (source, kind) DO UPDATE SET
        given_back_at = NULL, day = excluded.day, platform = excluded.platform,
        -- What was given back opens again. What somebody spent after this statement began must not count twice:
        -- a negative amount breaks the table's check, which undoes the whole statement.
        amount = CASE
            WHEN known.given_back_at IS NULL OR known.user_id <> excluded.user_id THEN -1
            ELSE excluded.amount
        END
)
SELECT
    (statement_timestamp() AT TIME ZONE 'UTC')::date AS day,
    (SELECT allowed FROM live) AS allowed,
    COALESCE((SELECT used FROM spent), (
        SELECT {used} FROM accounts_userusage
        WHERE user_id = %(user)s::uuid AND platform = %(platform)s::text
            AND day = (statement_timestamp() AT TIME ZONE 'UTC')::date
    )) AS used,
    EXISTS (SELECT FROM spent) AS spent,
    (SELECT user_id FROM standing) AS owner
