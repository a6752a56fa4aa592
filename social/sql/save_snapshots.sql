-- The counts of one moment, whatever else is newer.
INSERT INTO social_metricsnapshot (post_id, taken_at, likes, comments, shares, views, saves, followers, source)
SELECT told.post_id, %(at)s, told.likes, told.comments, told.shares, told.views, told.saves, told.followers, %(source)s
FROM unnest(
    %(post_id)s::uuid[], %(likes)s::bigint[], %(comments)s::bigint[], %(shares)s::bigint[], %(views)s::bigint[],
    %(saves)s::bigint[], %(followers)s::bigint[]
) AS told (post_id, likes, comments, shares, views, saves, followers)
ON CONFLICT (post_id, taken_at) DO NOTHING
