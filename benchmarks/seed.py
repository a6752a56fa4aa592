"""The people and rows that are measured: the same in every run."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from accounts.identity.local import start_session
from accounts.models import Plan, Subscription, User
from accounts.usage import FREE
from analysis.chat.models import ChatSession
from analysis.models import PostAnalysis, PostAnalysisRequest

PEOPLE = 50
ROWS_EACH = 1000
# Whole seconds: Django's encoder would cut microseconds, and the bytes of two sides could not be the same.
START = "2026-01-01T00:00:00Z"
ACTIVITY = """
INSERT INTO {table}
    (id, created_at, user_id, event, success, reason, ip, user_agent, request_id)
SELECT
    ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    %(start)s::timestamptz + n * interval '10 seconds',
    (%(people)s::uuid[])[1 + n %% cardinality(%(people)s::uuid[])],
    (ARRAY['login', 'token_refresh', 'logout', 'password_reset'])[1 + n %% 4],
    n %% 10 > 0,
    CASE WHEN n %% 10 > 0 THEN '' ELSE 'unauthenticated' END,
    '192.0.2.0'::inet + n %% 250,
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) '
        || 'Chrome/' || 100 + n %% 50 || ' Safari/537.36',
    '01900000-0000-7000-9000-' || lpad(to_hex(n), 12, '0')
FROM generate_series(1, %(rows)s) n
"""
# Two hundred platforms a day, so that a million rows take no more than history has days.
USAGE = """
INSERT INTO {table}
    (user_id, day, platform, handle_analyses, url_lookups, post_suggestions, questions_asked)
SELECT
    (%(people)s::uuid[])[1 + n %% cardinality(%(people)s::uuid[])],
    %(start)s::date - 1 - n / 200, 'platform' || n %% 200, 0, n %% 7, 0, 0
FROM generate_series(1, %(rows)s) n
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in."""

    id: UUID
    token: str


def user_id(number: int) -> UUID:
    return UUID(int=0x01900000_0000_7000_A000_000000000000 + number)


def people() -> list[Person]:
    """Fifty users with a thousand events each, signed in."""
    if not User.objects.filter(pk=user_id(PEOPLE)).exists():
        _make_people()
    return [Person(user.pk, start_session(user).access) for user in User.objects.filter(pk__in=_ids()).order_by("pk")]


def _make_people() -> None:
    everybody = [User(pk=pk, email=f"user{number}@bench.example") for number, pk in enumerate(_ids(), start=1)]
    for user in everybody:
        user.created_at = START
        user.set_unusable_password()
    User.objects.bulk_create(everybody)
    free = Plan.objects.get(slug=FREE)
    subscriptions = [Subscription(user=user, plan=free, current_period_start=START) for user in everybody]
    Subscription.objects.bulk_create(subscriptions)
    Subscription.objects.filter(user__in=everybody).update(created_at=START)
    add_activity("analytics_authenticationlog", rows=PEOPLE * ROWS_EACH, users=_ids())


def conversations(users: list[UUID], each: int) -> list[UUID]:
    """So many sessions for each of these users, about analyses whose evidence is as long as it mostly is."""
    evidence = [{"id": f"k{number}", "kind": "comment", "text": f"{number} " + "words " * 15} for number in range(60)]
    owners = users * each
    asked = PostAnalysisRequest.objects.bulk_create(
        PostAnalysisRequest(user_id=user, platform="x", post_urls=[], status="COMPLETED", total_posts=1, open_posts=0)
        for user in owners
    )
    posts = PostAnalysis.objects.bulk_create(
        PostAnalysis(
            request=request, platform="x", platform_post_id=str(number), url=f"https://x.com/i/status/{number}",
            status="COMPLETED", stage="analyse", stage_since=START, evidence=evidence,
            verdict={"label": "over", "basis": "3 times the median of 12 posts", "multiple": 3.0, "baseline": {}},
        )
        for number, request in enumerate(asked)
    )  # fmt: skip
    made = [ChatSession(user_id=user, post_analysis=post) for user, post in zip(owners, posts, strict=True)]
    return [session.pk for session in ChatSession.objects.bulk_create(made)]


def add_activity(table: str, *, rows: int, users: list[UUID]) -> None:
    _fill(table, ACTIVITY, rows, users)


def add_usage(table: str, *, rows: int, users: list[UUID]) -> None:
    _fill(table, USAGE, rows, users)


def _fill(table: str, statement: str, rows: int, users: list[UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(statement.format(table=table), {"start": START, "people": users, "rows": rows})
        cursor.execute(f"VACUUM ANALYZE {table}")


def _ids() -> list[UUID]:
    return [user_id(number) for number in range(1, PEOPLE + 1)]
