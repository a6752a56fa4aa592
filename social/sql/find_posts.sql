-- The ids of posts, those too that were there already and newer.
SELECT post.platform_id, post.platform_post_id, post.id
FROM json_to_recordset(%(rows)s::json) AS told (platform text, key text)
JOIN social_post post ON post.platform_id = told.platform AND post.platform_post_id = told.key
