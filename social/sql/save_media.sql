-- Where media are, for some hours, as the newest word of the post has it: what is stored keeps its file, and what failed may be tried at its new address.
INSERT INTO social_postmedia AS medium (
    id, created_at, post_id, kind, position, source_url, state, error, width, height, seconds, alt_text, transcript
)
SELECT told.id, now(), told.post_id, told.kind, told.position, told.url, 'waiting', '', told.width, told.height,
    told.seconds, told.alt_text, ''
FROM json_to_recordset(%(rows)s::json) AS told (
    id uuid, post_id uuid, kind text, position int, url text, width int, height int, seconds float8, alt_text text
)
ON CONFLICT (post_id, kind, position) DO UPDATE SET
    source_url = excluded.source_url,
    state = CASE WHEN medium.state = 'failed' THEN 'waiting' ELSE medium.state END,
    error = CASE WHEN medium.state = 'failed' THEN '' ELSE medium.error END,
    width = coalesce(medium.width, excluded.width),
    height = coalesce(medium.height, excluded.height),
    seconds = coalesce(medium.seconds, excluded.seconds),
    alt_text = coalesce(nullif(excluded.alt_text, ''), medium.alt_text)
WHERE (SELECT post.seen_at FROM social_post post WHERE post.id = medium.post_id) <= %(at)s
