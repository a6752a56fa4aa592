-- One row a post. The newer word wins; a post that was only seen in a list never blanks what a full one knew, and a count
-- that is not known this time stays as it was known.
INSERT INTO social_post AS post (
    id, created_at, platform_id, platform_post_id, url, author, author_id, author_profile, title, text, language,
    posted_at, format, seconds, metrics, engagement_score, details, captions, transcript, formatted_transcript,
    transcript_source, transcript_language, transcript_state, collected_at, seen_at, source, raw, raw_until
)
SELECT
    told.id, now(), told.platform, told.key, told.url, told.author, told.author_id, told.author_profile,
    told.title, told.text, told.language, told.posted_at, told.format, told.seconds, told.metrics, told.score,
    told.details, told.captions, '', '[]', '', '', '',
    CASE WHEN told.listed THEN NULL ELSE %(at)s::timestamptz END, %(at)s, %(source)s, decode(told.raw, 'base64'),
    CASE WHEN told.raw IS NULL THEN NULL ELSE %(raw_until)s::timestamptz END
FROM json_to_recordset(%(rows)s::json) AS told (
    id uuid, platform text, key text, url text, author text, author_id text, author_profile jsonb, title text, text text,
    language text, posted_at timestamptz, format text, seconds float8, metrics jsonb, score float8, details jsonb,
    captions jsonb, listed bool, raw text
)
ON CONFLICT (platform_id, platform_post_id) DO UPDATE SET
    url = excluded.url,
    author = coalesce(nullif(excluded.author, ''), post.author),
    author_id = coalesce(nullif(excluded.author_id, ''), post.author_id),
    author_profile = post.author_profile || excluded.author_profile,
    title = coalesce(nullif(excluded.title, ''), post.title),
    text = CASE WHEN excluded.collected_at IS NULL THEN coalesce(nullif(excluded.text, ''), post.text) ELSE excluded.text END,
    language = coalesce(nullif(excluded.language, ''), post.language),
    posted_at = coalesce(excluded.posted_at, post.posted_at),
    format = CASE
        WHEN excluded.collected_at IS NULL AND post.format <> '' THEN post.format
        ELSE coalesce(nullif(excluded.format, ''), post.format)
    END,
    seconds = coalesce(excluded.seconds, post.seconds),
    metrics = post.metrics || excluded.metrics,
    engagement_score = coalesce(excluded.engagement_score, post.engagement_score),
    details = CASE WHEN excluded.collected_at IS NULL THEN post.details ELSE excluded.details END,
    captions = CASE WHEN excluded.captions = '[]' THEN post.captions ELSE excluded.captions END,
    collected_at = coalesce(excluded.collected_at, post.collected_at),
    seen_at = excluded.seen_at,
    source = CASE WHEN excluded.collected_at IS NULL AND post.collected_at IS NOT NULL THEN post.source ELSE excluded.source END,
    raw = coalesce(excluded.raw, post.raw),
    raw_until = coalesce(excluded.raw_until, post.raw_until)
WHERE post.seen_at <= excluded.seen_at
