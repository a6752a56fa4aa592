"""One analysis as an example: what OpenAPI shows of the shapes in `serializers`."""

from core.schema import EXAMPLE_ID

URL = "https://www.youtube.com/watch?v=WhyralDmo0I"
AT = "2026-11-01T09:30:00Z"
CLAIM = {"text": 'It opens with a question: "Do you save money?"', "evidence": ["t1"], "supported": True}
EVIDENCE = {"id": "t1", "kind": "transcript", "text": "Do you save money?", "start": 0.0, "end": 2.4, "url": URL}
VERDICT = {
    "label": "over",
    "multiple": 2.6,
    "basis": "80,600 views are 2.6 times the median of 31,000 views of 18 posts.",
    "baseline": {"n": 18, "median": 31000.0, "metric": "views", "window": "18 short videos, the last 90 days"},
    "percentile": 97.2,
    "computed_at": AT,
}
POST = {
    "id": EXAMPLE_ID,
    "request_id": EXAMPLE_ID,
    "url": URL,
    "platform": "youtube",
    "status": "COMPLETED",
    "stage": "analyse",
    "progress": 100,
    "post_id": EXAMPLE_ID,
    "error_stage": "",
    "error_category": "",
    "error_code": "",
    "error_message": "",
    "error_retryable": False,
    "is_viral": True,
    "verdict": VERDICT,
    "virality_reasoning": [CLAIM],
    "quick_takeaways": [CLAIM, CLAIM, CLAIM],
    "creator_context": [CLAIM],
    "content_observation": {"hook": CLAIM, "structure": None},
    "replicable_elements": [CLAIM],
    "viral_formula": CLAIM,
    "improvements": [CLAIM],
    "suggestions_for_future_posts": [CLAIM, CLAIM, CLAIM, CLAIM],
    "confounders": [
        {"kind": "giveaway", "state": "ruled_out", "note": "Nothing is given away.", "evidence": []},
    ],
    "demand": [{"kind": "question", "count": 4, "examples": ["k1"]}],
    "evidence": [EVIDENCE],
    "grounding": {"claims": 20, "supported": 19, "ratio": 0.95},
    "metadata_used": {"comments_seen": 12, "comments_total": 416, "author_posts": 18},
    "provider": "gemini",
    "model": "gemini-3.8-flash",
    "prompt_version": "0f3a9c1e2b7d4856",
    "tokens": {"input": 5200, "output": 1400, "cached": 0, "thinking": 300},
    "created_at": AT,
    "finished_at": "2026-11-01T09:30:41Z",
    "cost": 9150,
}
REQUEST = {
    "id": EXAMPLE_ID,
    "created_at": AT,
    "platform": "youtube",
    "post_urls": [URL],
    "display_name": "youtube.com/watch?v=WhyralDmo0I",
    "status": "COMPLETED",
    "stage": "analysis_complete",
    "progress": 100,
    "partial_success": False,
    "total_posts": 1,
    "posts_processed": 1,
    "error_stage": "",
    "error_category": "",
    "error_details": {},
    "retry_count": 0,
    "max_retries": 3,
    "total_api_calls": 3,
    "duration_seconds": 41.2,
    "finished_at": "2026-11-01T09:30:41Z",
}
STAGE = {
    "stage": "collect", "outcome": "done", "reused": False, "vendor_calls": 3, "seconds_transcribed": 0.0, "tokens": 0,
    "cost": 540, "runs": 1,
}  # fmt: skip
RECEIPT = {
    "posts": [{"post_analysis_id": EXAMPLE_ID, "stages": [STAGE], "units_spent": 1, "units_given_back": 0}],
    "vendor_calls": 3,
    "tokens": 0,
    "seconds_transcribed": 0.0,
    "cost": 540,
    "units_spent": 1,
    "units_given_back": 0,
}
DETAIL = {**REQUEST, "posts": [POST], "receipt": RECEIPT}
JUST_TAKEN = {
    **DETAIL,
    "status": "PENDING",
    "stage": "request_created",
    "progress": 0,
    "posts_processed": 0,
    "total_api_calls": 0,
    "duration_seconds": None,
    "finished_at": None,
    "posts": [
        {
            **POST,
            **dict.fromkeys(("is_viral", "verdict", "viral_formula", "grounding", "content_observation"), None),
            **dict.fromkeys(("metadata_used", "tokens", "post_id", "finished_at", "cost"), None),
            **dict.fromkeys(("provider", "model", "prompt_version"), ""),
            **{name: [] for name, value in POST.items() if isinstance(value, list)},
            "status": "PENDING",
            "stage": "collect",
            "progress": 0,
        }
    ],
    "receipt": {
        **RECEIPT,
        "posts": [{"post_analysis_id": EXAMPLE_ID, "stages": [], "units_spent": 1, "units_given_back": 0}],
        "vendor_calls": 0,
        "cost": 0,
    },
}
QUOTE = {
    "posts": [{"url": URL, "platform": "youtube", "stored": True, "collected_at": AT}],
    "units": [
        {
            "platform": "youtube", "units": 1, "limit": 10, "used": 2, "remaining": 8, "fits": True,
            "resets_at": "2026-11-02T00:00:00Z",
        }
    ],
    "fits": True,
    "expected_seconds": 15.0,
    "expected_cost": None,
}  # fmt: skip
STATUS = {
    "id": 4711, "created_at": AT, "post_analysis_id": EXAMPLE_ID, "stage": "fetching_posts", "status": "PROCESSING",
    "progress": 0, "message": "The post is being fetched.", "cost_micros": 0,
}  # fmt: skip
