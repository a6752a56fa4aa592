-- A post has ended, with a result or without. One row where it was ours to end: how many of its request's posts are
-- still open, and the newest of its history.
WITH ended AS (
    UPDATE analysis_postanalysis post SET
        status = %(status)s::text, progress = 100, lease_until = NULL, run_after = NULL, finished_at = now(),
        error_stage = %(error_stage)s::text, error_category = %(error_category)s::text,
        error_code = %(error_code)s::text, error_message = %(error_message)s::text,
        error_retryable = %(error_retryable)s::bool,
        ({result}) = (SELECT {result} FROM jsonb_populate_record(post, %(result)s::jsonb)),
        cost_micros = COALESCE(%(cost)s::bigint, 0) + (
            SELECT COALESCE(sum(run.cost_micros), 0) FROM analysis_stagerun run
            WHERE run.post_analysis_id = post.id AND run.outcome <> 'running'
        )
    WHERE id = %(id)s::uuid AND stage = %(stage)s::text AND fence = %(fence)s::int AND status = 'PROCESSING'
    RETURNING id, request_id
), run AS (
    UPDATE analysis_stagerun run SET
        outcome = %(outcome)s::text, finished_at = now(), code = %(error_code)s::text, note = %(note)s::text,
        reused = %(reused)s::bool, calls = %(calls)s::int, tokens = %(tokens)s::int,
        seconds_transcribed = %(seconds)s::float8, cost_micros = %(cost)s::bigint
    FROM ended WHERE run.post_analysis_id = ended.id AND run.stage = %(stage)s::text AND run.fence = %(fence)s::int
), asked AS (
    UPDATE analysis_postanalysisrequest request SET
        open_posts = open_posts - 1, posts_processed = posts_processed + 1,
        progress_points = progress_points + %(points)s::int, total_api_calls = total_api_calls + %(calls)s::int,
        cost_micros = request.cost_micros + COALESCE(%(cost)s::bigint, 0)
    FROM ended WHERE request.id = ended.request_id
    RETURNING request.*, ended.id AS post_analysis_id
), history AS (
    INSERT INTO analysis_analysisstatushistory (
        request_id, post_analysis_id, created_at, stage, status, progress, message, cost_micros
    )
    SELECT asked.id, post_analysis_id, now(), told.stage, status, progress_points / total_posts, told.message, cost_micros
    FROM asked, unnest(%(told)s::text[], %(messages)s::text[]) AS told (stage, message)
    RETURNING id
)
SELECT open_posts, (SELECT max(id) FROM history) FROM asked
