-- Give back what a source had spent, to the day it was spent on; it answers one row, or none where nothing was left.
WITH held AS (
    -- The counter before the entry, the order in which spending locks them: else the two could wait for each other.
    SELECT FROM accounts_userusage counter JOIN accounts_usageentry USING (user_id, day, platform)
    WHERE source = %(source)s::text AND kind = %(kind)s::text AND given_back_at IS NULL
    FOR NO KEY UPDATE OF counter
), returned AS (
    UPDATE accounts_usageentry SET given_back_at = statement_timestamp() FROM held
    WHERE source = %(source)s::text AND kind = %(kind)s::text AND given_back_at IS NULL
    RETURNING user_id, day, platform, amount
)
UPDATE accounts_userusage counter SET {used} = GREATEST({used} - amount, 0) FROM returned
WHERE counter.user_id = returned.user_id AND counter.day = returned.day AND counter.platform = returned.platform
RETURNING amount
