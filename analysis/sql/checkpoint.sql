-- A stage is done: the post goes to the next one, with what the run used, in one statement. Nothing at all happens where
-- the fence has moved. With `keeps` its holder goes straight on; else it waits for a message down another queue.
WITH moved AS (
    UPDATE analysis_postanalysis SET
        stage = %(next)s::text, stage_since = now(), progress = %(progress)s::int, tries = %(keeps)s::int,
        lease_until = CASE WHEN %(keeps)s::int = 1 THEN now() + %(lease)s::interval END,
        hinted_at = CASE WHEN %(keeps)s::int = 1 THEN hinted_at ELSE now() END, woken = 0,
        post_id = COALESCE(%(post_id)s::uuid, post_id)
    WHERE id = %(id)s::uuid AND stage = %(stage)s::text AND fence = %(fence)s::int AND status = 'PROCESSING'
    RETURNING id, request_id
), ended AS (
    UPDATE analysis_stagerun run SET
        outcome = 'done', finished_at = now(), reused = %(reused)s::bool, calls = %(calls)s::int,
        tokens = %(tokens)s::int, seconds_transcribed = %(seconds)s::float8, cost_micros = %(cost)s::bigint
    FROM moved WHERE run.post_analysis_id = moved.id AND run.stage = %(stage)s::text AND run.fence = %(fence)s::int
), intent AS (
    INSERT INTO analysis_stagerun (
        post_analysis_id, stage, fence, outcome, started_at, code, note, reused, calls, tokens, seconds_transcribed
    )
    SELECT id, %(next)s::text, %(fence)s::int, 'running', now(), '', '', false, 0, 0, 0 FROM moved
    WHERE %(keeps)s::int = 1
), asked AS (
    UPDATE analysis_postanalysisrequest request SET
        progress_points = progress_points + %(points)s::int, total_api_calls = total_api_calls + %(calls)s::int,
        cost_micros = request.cost_micros + COALESCE(%(cost)s::bigint, 0),
        stage = COALESCE((%(told)s::text[])[cardinality(%(told)s::text[])], stage)
    FROM moved WHERE request.id = moved.request_id
    RETURNING request.*, moved.id AS post_analysis_id
), history AS (
    INSERT INTO analysis_analysisstatushistory (
        request_id, post_analysis_id, created_at, stage, status, progress, message, cost_micros
    )
    SELECT asked.id, post_analysis_id, now(), told.stage, status, progress_points / total_posts, told.message, cost_micros
    FROM asked, unnest(%(told)s::text[], %(messages)s::text[]) WITH ORDINALITY AS told (stage, message, place)
    ORDER BY told.place
    RETURNING id
)
SELECT (SELECT count(*) FROM moved), (SELECT max(id) FROM history)
