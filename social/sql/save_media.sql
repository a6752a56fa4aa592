-- Where media are, for some hours: what is stored keeps its file, and what failed may be tried at its new address.
INSERT INTO social_postmedia AS medium (
    id, created_at, post_id, kind, position, source_url, state, error, width, height, seconds, alt_text, transcript
)
SELECT told.id, now(), told.post_id, told.kind, told.position, told.url, 'waiting', '', told.width, told.height,
    told.seconds, told.alt_text, ''
FROM unnest(
    %(id)s::uuid[], %(post_id)s::uuid[], %(kind)s::text[], %(position)s::int[], %(url)s::text[], %(width)s::int[],
    %(height)s::int[], %(seconds)s::float8[], %(alt_text)s::text[]
) AS told (id, post_id, kind, position, url, width, height, seconds, alt_text)
ON CONFLICT (post_id, kind, position) DO UPDATE SET
    source_url = excluded.source_url,
    state = CASE WHEN medium.state = 'failed' THEN 'waiting' ELSE medium.state END,
    error = CASE WHEN medium.state = 'failed' THEN '' ELSE medium.error END,
    alt_text = coalesce(nullif(excluded.alt_text, ''), medium.alt_text)
