-- The last post has ended: how the request did, counted anew from its posts. Once: only an open request is finalized.
WITH counted AS (
    SELECT count(*) FILTER (WHERE status = 'COMPLETED') AS completed, count(*) FILTER (WHERE status = 'FAILED') AS failed,
        count(*) FILTER (WHERE status = 'CANCELLED') AS cancelled
    FROM analysis_postanalysis WHERE request_id = %(id)s::uuid
), wrong AS (
    SELECT error_stage, error_category, error_code, error_message FROM analysis_postanalysis
    WHERE request_id = %(id)s::uuid AND status = 'FAILED' ORDER BY position LIMIT 1
), ended AS (
    UPDATE analysis_postanalysisrequest request SET
        status = CASE WHEN completed > 0 THEN 'COMPLETED' WHEN failed > 0 THEN 'FAILED' ELSE 'CANCELLED' END,
        stage = CASE
            WHEN completed > 0 AND failed + cancelled = 0 THEN 'analysis_complete'
            WHEN completed > 0 THEN 'partial_success' WHEN failed > 0 THEN 'error' ELSE 'cancelled'
        END,
        partial_success = completed > 0 AND failed + cancelled > 0,
        results = jsonb_build_object('completed', completed, 'failed', failed, 'cancelled', cancelled),
        error_stage = COALESCE(wrong.error_stage, ''), error_category = COALESCE(wrong.error_category, ''),
        error_details = CASE WHEN wrong.error_code IS NULL THEN '{}' ELSE
            jsonb_build_object('code', wrong.error_code, 'message', wrong.error_message) END,
        finished_at = now(), progress_points = 100 * total_posts,
        duration_seconds = GREATEST(extract(epoch FROM now() - COALESCE(started_at, created_at)), 0)
    FROM counted LEFT JOIN wrong ON true
    WHERE id = %(id)s::uuid AND status IN ('PENDING', 'PROCESSING') AND open_posts = 0
    RETURNING request.*, completed, failed, cancelled
)
INSERT INTO analysis_analysisstatushistory (
    request_id, post_analysis_id, created_at, stage, status, progress, message, cost_micros
)
SELECT id, NULL, now(), stage, status, 100, CASE stage
        WHEN 'analysis_complete' THEN 'The analysis is complete.'
        WHEN 'partial_success' THEN format('%%s of %%s posts are explained.', completed, total_posts)
        WHEN 'error' THEN 'No post could be analysed.' ELSE 'The request was cancelled.'
    END, cost_micros
FROM ended
RETURNING id
