-- The counts of one moment, whatever else is newer.
INSERT INTO social_metricsnapshot (post_id, taken_at, likes, comments, shares, views, saves, followers, source)
SELECT told.post_id, %(at)s, told.likes, told.comments, told.shares, told.views, told.saves, told.followers, %(source)s
FROM json_to_recordset(%(rows)s::json) AS told (
    post_id uuid, likes bigint, comments bigint, shares bigint, views bigint, saves bigint, followers bigint
)
ON CONFLICT (post_id, taken_at) DO NOTHING
