-- Give a post back until later: the vendor is not ready (the try is given back too), or the stage failed and may be
-- tried again. What was paid for meanwhile is kept.
WITH paused AS (
    UPDATE analysis_postanalysis SET
        lease_until = NULL, run_after = CASE WHEN woken = fence THEN now() ELSE now() + %(wait)s::interval END,
        hinted_at = CASE WHEN woken = fence THEN now() ELSE hinted_at END, tries = GREATEST(tries - %(refund)s::int, 0)
    WHERE id = %(id)s::uuid AND stage = %(stage)s::text AND fence = %(fence)s::int AND status = 'PROCESSING'
    RETURNING id, request_id, woken = fence AS is_woken
), ended AS (
    UPDATE analysis_stagerun run SET
        outcome = %(outcome)s::text, finished_at = now(), code = %(code)s::text, note = %(note)s::text,
        calls = %(calls)s::int, tokens = %(tokens)s::int, cost_micros = %(cost)s::bigint
    FROM paused WHERE run.post_analysis_id = paused.id AND run.stage = %(stage)s::text AND run.fence = %(fence)s::int
), forgotten AS (
    -- Of many looks at a vendor's job the latest is enough.
    DELETE FROM analysis_stagerun run USING paused
    WHERE run.post_analysis_id = paused.id AND run.stage = %(stage)s::text AND run.outcome = 'not_ready' AND run.calls = 0
), asked AS (
    UPDATE analysis_postanalysisrequest request SET
        total_api_calls = total_api_calls + %(calls)s::int,
        cost_micros = request.cost_micros + COALESCE(%(cost)s::bigint, 0),
        stage = COALESCE((%(told)s::text[])[1], stage)
    FROM paused WHERE request.id = paused.request_id AND (%(calls)s::int > 0 OR cardinality(%(told)s::text[]) > 0)
    RETURNING request.*, paused.id AS post_analysis_id
), history AS (
    INSERT INTO analysis_analysisstatushistory (
        request_id, post_analysis_id, created_at, stage, status, progress, message, cost_micros
    )
    SELECT asked.id, post_analysis_id, now(), told.stage, status, progress_points / total_posts, told.message, cost_micros
    FROM asked, unnest(%(told)s::text[], %(messages)s::text[]) AS told (stage, message)
    RETURNING id
)
SELECT (SELECT count(*) FROM paused), (SELECT max(id) FROM history), (SELECT is_woken FROM paused)
