-- What these posts wait for has come: nobody need wait any longer. Who is just finding out that it has to wait is told so
-- too. Keys name posts, or their authors. Locked in the order in which everybody locks several posts.
WITH waiting AS (
    SELECT id FROM analysis_postanalysis analysis
    WHERE analysis.platform = %(platform)s::text AND status = 'PROCESSING' AND stage = %(stage)s::text
        AND (lease_until IS NOT NULL OR run_after > now())
        AND CASE WHEN %(authors)s::bool THEN EXISTS (
            SELECT FROM social_post post WHERE post.platform_id = analysis.platform
                AND post.platform_post_id = analysis.platform_post_id
                AND (post.author = ANY(%(keys)s::text[]) OR post.author_id = ANY(%(keys)s::text[]))
        ) ELSE platform_post_id = ANY(%(keys)s::text[]) END
    ORDER BY id FOR NO KEY UPDATE
), woken AS (
    UPDATE analysis_postanalysis analysis SET
        woken = fence, run_after = NULL, hinted_at = CASE WHEN lease_until IS NULL THEN now() ELSE hinted_at END
    FROM waiting WHERE analysis.id = waiting.id
    RETURNING analysis.id, stage, lease_until
)
SELECT id, stage FROM woken WHERE lease_until IS NULL
