-- Take an errand that is due and that nobody holds: its attempt is the fence of whoever took it.
UPDATE social_errand SET lease_until = now() + %(lease)s, attempt = attempt + 1
WHERE id = (
    SELECT errand.id FROM social_errand errand
    WHERE errand.finished_at IS NULL AND errand.kind = %(kind)s AND errand.platform_id = %(platform)s
        AND (errand.lease_until IS NULL OR errand.lease_until < now())
        AND (errand.run_after IS NULL OR errand.run_after <= now())
        AND (%(keys)s::text[] IS NULL OR EXISTS (
            SELECT FROM social_wanted wanted WHERE wanted.errand_id = errand.id AND wanted.key = ANY(%(keys)s)
        ))
    ORDER BY errand.run_after NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id
