-- The comments that were seen last.
INSERT INTO social_postcomment AS held (id, created_at, post_id, sample, seen, total, closed, collected_at, source)
VALUES (
    %(id)s, now(), %(post_id)s, %(sample)s::jsonb, %(seen)s, %(total)s, %(closed)s, %(at)s, %(source)s
)
ON CONFLICT (post_id) DO UPDATE SET
    sample = excluded.sample, seen = excluded.seen, total = coalesce(excluded.total, held.total),
    closed = excluded.closed, collected_at = excluded.collected_at, source = excluded.source
WHERE held.collected_at <= excluded.collected_at
