-- The comments that were seen last.
INSERT INTO social_postcomment AS held (id, created_at, post_id, sample, seen, total, closed, collected_at, source)
SELECT told.id, now(), told.post_id, told.sample, told.seen, told.total, told.closed, %(at)s, %(source)s
FROM json_to_recordset(%(rows)s::json) AS told (
    id uuid, post_id uuid, sample jsonb, seen int, total bigint, closed bool
)
ON CONFLICT (post_id) DO UPDATE SET
    sample = excluded.sample, seen = excluded.seen, total = coalesce(excluded.total, held.total),
    closed = excluded.closed, collected_at = excluded.collected_at, source = excluded.source
WHERE held.collected_at <= excluded.collected_at
