-- Posts that are due and that no message may be on its way for: marked as sent for, so that each sweep takes others.
-- Of those that broke off twice at a stage where a worker's death takes its neighbours along, one is under way at a time:
-- the one that is to blame dies without them from then on.
WITH suspect AS (
    SELECT id, lease_until, lease_until > now() OR hinted_at > GREATEST(lease_until, now() - %(rest)s::interval) AS is_under_way
    FROM analysis_postanalysis post
    WHERE status = 'PROCESSING' AND tries > 1 AND lease_until IS NOT NULL AND stage = ANY(%(alone)s::text[]) AND 1 < (
        SELECT count(*) FROM analysis_stagerun run WHERE run.post_analysis_id = post.id AND run.stage = post.stage
            AND (run.outcome = 'lost' OR run.outcome = 'running' AND post.lease_until < now())
    )
)
UPDATE analysis_postanalysis SET hinted_at = now()
WHERE id IN (
    SELECT id FROM analysis_postanalysis
    WHERE status IN ('PENDING', 'PROCESSING') AND stage = ANY(%(stages)s::text[])
        AND (lease_until IS NULL OR lease_until < now()) AND (run_after IS NULL OR run_after <= now())
        AND (hinted_at IS NULL OR hinted_at < now() - %(rest)s::interval OR hinted_at < GREATEST(run_after, lease_until))
        AND (id NOT IN (SELECT id FROM suspect) OR id = (
            SELECT id FROM suspect WHERE NOT EXISTS (SELECT FROM suspect WHERE is_under_way) ORDER BY lease_until LIMIT 1
        ))
    ORDER BY GREATEST(run_after, lease_until, created_at) LIMIT %(most)s::int FOR UPDATE SKIP LOCKED
)
RETURNING id, stage
