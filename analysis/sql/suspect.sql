-- Posts that broke off twice at a stage where the death of a worker takes its neighbours along: which of them is to blame
-- is not known, so one at a time is carried on with, and dies without the others. Its place in the row says whose turn it
-- is: whoever is at work, then whoever was sent for, then whoever broke off first.
suspect AS (
    SELECT id, row_number() OVER (
        ORDER BY lease_until > now() DESC, COALESCE(hinted_at > lease_until, false) DESC, lease_until, id
    ) AS place
    FROM analysis_postanalysis post
    WHERE status = 'PROCESSING' AND tries > 1 AND lease_until IS NOT NULL AND stage = ANY(%(alone)s::text[]) AND 1 < (
        SELECT count(*) FROM analysis_stagerun run WHERE run.post_analysis_id = post.id AND run.stage = post.stage
            AND (run.outcome = 'lost' OR run.outcome = 'running' AND post.lease_until < now())
    )
)
