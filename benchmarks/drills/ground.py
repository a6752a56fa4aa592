"""The ground a drill stands on: servers of its own, a user without limits, and requests made as the API makes them."""

import contextlib
import secrets
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from uuid import UUID

from django.db import connection

from accounts.models import UNLIMITED, Plan, Subscription, User
from analysis.models import PostAnalysis, PostAnalysisRequest
from analysis.services import request_analysis
from core import redis
from core.ids import uuid7

POSTS_EACH = 10
_numbers = count(1_900_000_000_000_000_000)


def make_user(limit: int = UNLIMITED) -> User:
    user = User.objects.create_user(email=f"{uuid7()}@drill.example")
    limits = {"max_handles": 0, "max_urls": POSTS_EACH, "max_analyses_per_day": limit, "max_questions_per_day": 0}
    plan = Plan.objects.create(slug=str(uuid7()), name="A drill", price=0, **limits)
    Subscription.objects.create(user=user, plan=plan)
    return user


def addresses(posts: int) -> list[str]:
    return [f"https://x.com/i/status/{next(_numbers)}" for _ in range(posts)]


def ask_for(user: User, posts: int) -> PostAnalysisRequest:
    return request_analysis(user, addresses(posts))


def publish(user: User, posts: int) -> list[UUID]:
    """So many posts, ten a request; their ids."""
    sizes = [POSTS_EACH] * (posts // POSTS_EACH) + ([posts % POSTS_EACH] if posts % POSTS_EACH else [])
    asked = [ask_for(user, size).pk for size in sizes]
    return [*PostAnalysis.objects.filter(request__in=asked).order_by("created_at", "id").values_list("pk", flat=True)]


def still_open() -> int:
    return PostAnalysis.objects.filter(status__in=("PENDING", "PROCESSING")).count()


def ended() -> int:
    return PostAnalysis.objects.exclude(status__in=("PENDING", "PROCESSING")).count()


@contextlib.contextmanager
def fresh(home: Path, name: str) -> Iterator[Path]:
    """Empty tables of the analysis, an empty Redis and a folder of its own."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE analysis_postanalysisrequest, accounts_userusage, accounts_usageentry CASCADE")
    redis.client().flushall()
    yield home / f"{name}-{secrets.token_hex(3)}"
