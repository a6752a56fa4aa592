-- Those who still hold their posts hold them for longer.
UPDATE analysis_postanalysis post SET lease_until = now() + %(lease)s::interval
FROM unnest(%(ids)s::uuid[], %(fences)s::int[]) AS held (id, fence)
WHERE post.id = held.id AND post.fence = held.fence AND post.status = 'PROCESSING' AND post.lease_until IS NOT NULL
