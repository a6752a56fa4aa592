-- Take a post that is due and that nobody holds. The fence moves, so whatever its former holder still writes is refused;
-- the run is written down before it begins. The first one since the post came to its stage, or came back to it, is told
-- to whoever watches.
WITH {suspect}, plan AS (
    SELECT * FROM unnest(%(stages)s::text[], %(begins)s::text[], %(messages)s::text[]) AS plan (stage, begins, message)
), claimed AS (
    UPDATE analysis_postanalysis post SET
        status = 'PROCESSING', fence = post.fence + 1, tries = post.tries + 1, run_after = NULL,
        lease_until = now() + %(lease)s::interval
    FROM plan
    WHERE post.id = %(id)s::uuid AND post.stage = plan.stage AND post.status IN ('PENDING', 'PROCESSING')
        AND (post.lease_until IS NULL OR post.lease_until < now())
        AND (post.run_after IS NULL OR post.run_after <= now())
        AND (post.tries < 2 OR post.id NOT IN (SELECT id FROM suspect WHERE place > 1))
    RETURNING post.*, plan.begins, plan.message
), lost AS (
    UPDATE analysis_stagerun run SET outcome = 'lost', finished_at = now() FROM claimed
    WHERE run.post_analysis_id = claimed.id AND run.outcome = 'running'
), intent AS (
    INSERT INTO analysis_stagerun (
        post_analysis_id, stage, fence, outcome, started_at, code, note, reused, calls, tokens, seconds_transcribed
    )
    SELECT id, stage, fence, 'running', now(), '', '', false, 0, 0, 0 FROM claimed
), begun AS (
    SELECT * FROM claimed WHERE NOT EXISTS (
        SELECT FROM analysis_stagerun run WHERE run.post_analysis_id = claimed.id AND run.stage = claimed.stage
            AND run.started_at >= claimed.stage_since
    )
), asked AS (
    UPDATE analysis_postanalysisrequest request SET
        status = 'PROCESSING', stage = begun.begins
    FROM begun WHERE request.id = begun.request_id
    RETURNING request.*, begun.id AS post_analysis_id, begun.message
), history AS (
    INSERT INTO analysis_analysisstatushistory (
        request_id, post_analysis_id, created_at, stage, status, progress, message, cost_micros
    )
    SELECT id, post_analysis_id, now(), stage, status, progress_points / total_posts, message, cost_micros FROM asked
    RETURNING id
)
SELECT claimed.id, claimed.request_id, request.user_id, request.request_id, claimed.platform,
    claimed.platform_post_id, claimed.url, claimed.post_id, claimed.stage, claimed.fence, claimed.tries,
    claimed.progress, claimed.stage_since, now(), request.created_at, (SELECT id FROM history)
FROM claimed JOIN analysis_postanalysisrequest request ON request.id = claimed.request_id
