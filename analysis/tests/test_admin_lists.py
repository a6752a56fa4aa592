"""The desk's lists of analyses at size: every page, search and filter is found by an index."""

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from analysis.models import PostAnalysis, PostAnalysisRequest

pytestmark = pytest.mark.django_db
URL = "https://x.com/i/status/11"
MADE_REQUESTS = """
INSERT INTO analysis_postanalysisrequest (id, created_at, user_id, platform, post_urls, display_name, status, stage,
    partial_success, results, error_stage, error_category, error_details, retry_count, max_retries, total_posts,
    open_posts, posts_processed, progress_points, total_api_calls, cost_micros, request_id)
SELECT gen_random_uuid(), %(now)s - n * interval '1 second', %(user)s, 'x', '[]', 'made', 'COMPLETED',
    'analysis_complete', false, '{}', '', '', '{}', 0, 3, 1, 0, 1, 100, 0, 0, 'request-' || n
FROM generate_series(1, %(rows)s) n
"""
MADE_POSTS = """
INSERT INTO analysis_postanalysis (id, created_at, request_id, position, platform, platform_post_id, url, status, stage,
    stage_since, fence, tries, woken, progress, error_stage, error_category, error_code, error_message, error_retryable,
    verdict, virality_reasoning, quick_takeaways, creator_context, content_observation, replicable_elements,
    viral_formula, improvements, suggestions_for_future_posts, confounders, demand, evidence, grounding, metadata_used,
    provider, model, prompt_version, tokens)
SELECT gen_random_uuid(), created_at, id, 0, 'x', 'made', 'https://x.com/i/status/1', 'COMPLETED', 'analyse',
    created_at, 1, 1, 0, 100, '', '', '', '', false, '{}', '[]', '[]', '[]', '{}', '[]', '{}', '[]', '[]', '[]', '[]',
    '[]', '{}', '{}', 'rules', '', '', '{}'
FROM analysis_postanalysisrequest WHERE display_name = 'made'
"""


@pytest.fixture
def many(user):
    """Six thousand requests of one user, with a post each; of another there is one."""
    other = User.objects.create_user("many@example.com", "a long password")
    with connection.cursor() as cursor:
        cursor.execute(MADE_REQUESTS, {"now": timezone.now(), "user": other.pk, "rows": 6_000})
        cursor.execute(MADE_REQUESTS, {"now": timezone.now(), "user": user.pk, "rows": 1})
        cursor.execute(MADE_POSTS)
    # Of all others the name is made up, each its own.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE analysis_postanalysis SET platform_post_id = left(id::text, 13)")
    PostAnalysis.objects.filter(request__user=user).update(platform_post_id="11")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE analysis_postanalysisrequest, analysis_postanalysis, accounts_user")


# How many rows a page of each narrowing has.
NARROWED = {"": 50, "status__exact=COMPLETED": 50, f"q={URL}": 1, "q=user@": 1, "q=many@": 50}


@pytest.mark.parametrize("model", [PostAnalysisRequest, PostAnalysis])
def test_every_list_is_read_by_an_index(desk, many, model):
    for query, count in NARROWED.items():
        page = reverse(f"admin:analysis_{model._meta.model_name}_changelist")
        found = desk.get(f"{page}?{query}").context_data["cl"]
        assert len(found.result_list) == count, query
        assert "Seq Scan on analysis_" not in found.order.applied(found.wanted)[:51].explain(), query
