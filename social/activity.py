"""Which posts a user asked for."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from accounts.models import User
from core.ids import uuid7
from social.models import UserPostActivity

REMEMBER = """
INSERT INTO social_userpostactivity AS held (id, created_at, user_id, post_id, last_at, times, reused)
SELECT id, now(), %(user)s, post, now(), 1, reused
FROM unnest(%(ids)s::uuid[], %(posts)s::uuid[], %(reused)s::int[]) AS asked (id, post, reused) ORDER BY post
ON CONFLICT (user_id, post_id) DO UPDATE SET last_at = now(),
    times = held.times + (held.last_at < now() - %(pause)s)::int,
    reused = held.reused + CASE WHEN held.last_at < now() - %(pause)s THEN excluded.reused ELSE 0 END
"""
# Whoever comes back sooner still waits for the same answer: collecting says at most thirty seconds each time.
PAUSE = timedelta(minutes=1)


def remember(user_id: UUID, posts: Mapping[UUID, bool]) -> None:
    """The user asked for these posts; for each, whether it was there already."""
    if not posts:
        return
    ids, reused = [uuid7() for _ in posts], [int(each) for each in posts.values()]
    values: dict[str, Any] = {"user": user_id, "ids": ids, "posts": [*posts], "reused": reused, "pause": PAUSE}
    with connection.cursor() as cursor:
        cursor.execute(REMEMBER, values)


def activity_of(user: User) -> Iterable[Mapping[str, Any]]:
    rows = UserPostActivity.objects.filter(user=user).order_by("last_at", "id")
    return rows.values("post__url", "created_at", "last_at", "times", "reused")
