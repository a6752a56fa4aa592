"""Stages that do what a test says, in place of the real ones: the engine does not know the difference."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from accounts.models import Plan, User, UserUsage
from accounts.usage import change_plan
from analysis.engine import Work
from analysis.models import OPEN, AnalysisStatusHistory, PostAnalysis, PostAnalysisRequest
from analysis.stages.contract import Later, Product
from core.ids import uuid7

Does = Callable[[Work], Product | Later]


class Fake:
    """A stage named `name`, on a queue, that does as it is told and counts how often it was run."""

    patience, waits = 30.0, 900.0
    ends = None

    def __init__(
        self, name: str, does: Does | None = None, *, queue: str = "io", most_tries: int = 3, progress: int = 50
    ):
        self.name, self.queue, self.most_tries, self.progress = name, queue, most_tries, progress
        self.begins = (f"{name}_begins", f"{name} begins.")
        self.does = does or (lambda work: Product())
        self.runs = 0

    def run(self, work: Work) -> Product | Later:
        self.runs += 1
        return self.does(work)


def stages_of(*stages: Any) -> dict[str, Any]:
    return {stage.name: stage for stage in stages}


def make_request(user: User, *, posts: int = 1, stage: str = "one") -> tuple[PostAnalysisRequest, list[PostAnalysis]]:
    """A request whose posts are at a fake's stage; nothing is spent and nothing is sent."""
    request = PostAnalysisRequest.objects.create(
        user=user, platform="x", post_urls=[], display_name="A test", total_posts=posts, open_posts=posts
    )
    made = [
        PostAnalysis.objects.create(
            id=uuid7(), request=request, position=place, platform="x", platform_post_id=str(1000 + place),
            url=f"https://x.com/i/status/{1000 + place}", stage=stage, stage_since=timezone.now(),
        )
        for place in range(posts)
    ]  # fmt: skip
    return request, made


def finished(request: PostAnalysisRequest) -> bool:
    """Whether a request has ended, and its counters say what its posts say."""
    request.refresh_from_db()
    ends = [*request.posts.values_list("status", flat=True)]
    counted = {
        "completed": ends.count("COMPLETED"),
        "failed": ends.count("FAILED"),
        "cancelled": ends.count("CANCELLED"),
    }
    return (
        request.open_posts == 0
        and request.status not in OPEN
        and request.finished_at is not None
        and request.posts_processed == request.total_posts == len(ends) == sum(counted.values())
        and request.progress_points == 100 * request.total_posts
        and request.results == counted
    )


def put_on_plan(user: User, *, posts: int, a_day: int) -> None:
    """A plan of its own: so many posts in one request, so many a day on each platform; -1 is no limit."""
    plan = Plan.objects.create(
        slug=f"plan-{uuid7()}", name="A plan", price=0, max_handles=1, max_questions_per_day=1,
        max_urls=posts, max_analyses_per_day=a_day,
    )  # fmt: skip
    change_plan(user, plan)


def used(user: User) -> dict[str, int]:
    """What the user's counters say, by platform."""
    return {row.platform: row.url_lookups for row in UserUsage.objects.filter(user=user) if row.url_lookups}


def words_of(request: PostAnalysisRequest) -> list[str]:
    """The words of its history, in order."""
    return list(AnalysisStatusHistory.objects.filter(request=request).order_by("id").values_list("stage", flat=True))
