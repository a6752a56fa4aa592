-- One row a post. The newer word wins; a list, which shortens and rounds, never touches what a full word said, save for the
-- counts; and a count that is not known this time stays as it was known. A full word counts even where a list was
-- faster by a moment: only an older full word, or an older list, changes nothing.
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
    title = CASE WHEN excluded.collected_at IS NULL AND post.title <> '' OR excluded.title = '' THEN post.title ELSE excluded.title END,
    text = CASE WHEN excluded.collected_at IS NULL AND post.text <> '' THEN post.text ELSE excluded.text END,
    language = coalesce(nullif(excluded.language, ''), post.language),
    posted_at = CASE
        WHEN excluded.collected_at IS NULL THEN coalesce(post.posted_at, excluded.posted_at)
        ELSE coalesce(excluded.posted_at, post.posted_at)
    END,
    format = CASE
        WHEN excluded.collected_at IS NULL AND post.format <> '' THEN post.format
        ELSE coalesce(nullif(excluded.format, ''), post.format)
    END,
    seconds = CASE
        WHEN excluded.collected_at IS NULL THEN coalesce(post.seconds, excluded.seconds)
        ELSE coalesce(excluded.seconds, post.seconds)
    END,
    metrics = CASE
        WHEN post.seen_at <= excluded.seen_at THEN post.metrics || excluded.metrics
        ELSE excluded.metrics || post.metrics
    END,
    engagement_score = CASE
        WHEN excluded.collected_at IS NULL AND post.collected_at IS NOT NULL THEN post.engagement_score
        ELSE coalesce(excluded.engagement_score, post.engagement_score)
    END,
    details = CASE WHEN excluded.collected_at IS NULL THEN post.details ELSE excluded.details END,
    captions = CASE WHEN excluded.captions = '[]' THEN post.captions ELSE excluded.captions END,
    collected_at = coalesce(excluded.collected_at, post.collected_at),
    seen_at = greatest(excluded.seen_at, post.seen_at),
    source = CASE WHEN excluded.collected_at IS NULL AND post.collected_at IS NOT NULL THEN post.source ELSE excluded.source END,
    raw = CASE
        WHEN excluded.collected_at IS NULL AND post.collected_at IS NOT NULL THEN post.raw
        ELSE coalesce(excluded.raw, post.raw)
    END,
    raw_until = CASE
        WHEN excluded.collected_at IS NULL AND post.collected_at IS NOT NULL THEN post.raw_until
        ELSE coalesce(excluded.raw_until, post.raw_until)
    END
WHERE post.seen_at <= excluded.seen_at OR coalesce(post.collected_at, '-infinity') < excluded.collected_at
