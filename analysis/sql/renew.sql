-- Those who still hold their posts hold them for longer. Whoever has locked one of them just now decides about it: it is
-- left alone until the next turn, so that none of the others waits for it, and nobody in a circle.
WITH ours AS (
    SELECT post.id FROM analysis_postanalysis post
    JOIN unnest(%(ids)s::uuid[], %(fences)s::int[]) AS held (id, fence) ON post.id = held.id AND post.fence = held.fence
    WHERE post.status = 'PROCESSING' AND post.lease_until IS NOT NULL
    FOR NO KEY UPDATE OF post SKIP LOCKED
)
UPDATE analysis_postanalysis post SET lease_until = now() + %(lease)s::interval FROM ours WHERE post.id = ours.id
