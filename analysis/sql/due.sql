-- Posts that are due and that no message may be on its way for: marked as sent for, so that each sweep takes others.
WITH {suspect}
UPDATE analysis_postanalysis SET hinted_at = now()
WHERE id IN (
    SELECT id FROM analysis_postanalysis
    WHERE status IN ('PENDING', 'PROCESSING') AND stage = ANY(%(stages)s::text[])
        AND (lease_until IS NULL OR lease_until < now()) AND (run_after IS NULL OR run_after <= now())
        AND (hinted_at IS NULL OR hinted_at < now() - %(rest)s::interval OR hinted_at < GREATEST(run_after, lease_until))
        AND id NOT IN (SELECT id FROM suspect WHERE place > 1)
    ORDER BY GREATEST(run_after, lease_until, created_at) LIMIT %(most)s::int FOR UPDATE SKIP LOCKED
)
RETURNING id, stage
