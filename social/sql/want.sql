-- Write down what is wanted, once. What was done before the moment that is fresh enough is wanted again; what failed is
-- answered from its row for a while, so that it is not paid for again and again, and until whoever was busy may be asked.
INSERT INTO social_wanted (
    id, created_at, kind, platform_id, key, state, tried, attempts, run_after, asked_at, code, retryable, note
)
SELECT id, now(), %(kind)s, %(platform)s, key, 'waiting', '{}', 0, now() + %(gathers)s, now(), '', false, ''
FROM unnest(%(ids)s::uuid[], %(keys)s::text[]) AS asked (id, key) ORDER BY key
ON CONFLICT (kind, platform_id, key) DO UPDATE SET
    state = 'waiting', tried = '{}', attempts = 0, run_after = excluded.run_after, asked_at = now(), finished_at = NULL,
    errand_id = NULL, code = '', retryable = false, note = '', busy_until = NULL
WHERE social_wanted.state IN ('done', 'failed') AND (
    social_wanted.finished_at < %(newer_than)s
    OR social_wanted.state = 'failed' AND (social_wanted.busy_until IS NULL OR social_wanted.busy_until <= now())
        AND social_wanted.finished_at < now() - CASE WHEN social_wanted.retryable THEN %(retry_rest)s ELSE %(refusal_rest)s END
)
