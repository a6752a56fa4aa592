-- What models answered to holders of this post who were given up at this stage before they wrote down what they used. It
-- goes under the fence of whoever counts it, so that it is counted once, and by the next one where this one is given up
-- too.
UPDATE analysis_modelanswer answer SET fence = %(fence)s::int
FROM analysis_stagerun run
WHERE answer.post_analysis_id = %(id)s::uuid AND answer.fence < %(fence)s::int
    AND run.post_analysis_id = answer.post_analysis_id AND run.fence = answer.fence AND run.stage = %(stage)s::text
    AND run.outcome = 'lost'
RETURNING answer.provider, answer.model, answer.tokens::text
