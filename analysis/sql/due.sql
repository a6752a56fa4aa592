-- Posts that are due and that no message may be on its way for: marked as sent for, so that each sweep takes others.
UPDATE analysis_postanalysis SET hinted_at = now()
WHERE id IN (
    SELECT id FROM analysis_postanalysis
    WHERE status IN ('PENDING', 'PROCESSING')
        AND (lease_until IS NULL OR lease_until < now()) AND (run_after IS NULL OR run_after <= now())
        AND (hinted_at IS NULL OR hinted_at < now() - %(rest)s::interval OR hinted_at < GREATEST(run_after, lease_until))
    ORDER BY GREATEST(run_after, lease_until, created_at) LIMIT %(most)s::int FOR UPDATE SKIP LOCKED
)
RETURNING id, stage
