"""What is held about a person: given to them when they ask for it, and taken out when they want to be forgotten."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from accounts.models import User
from analytics.models import APIAccessLog, AuthenticationLog

# Of requests, the newest: a program may make a million, and an export is read by a person.
EXPORTED_REQUESTS = 1000
BATCH = 1000
# The record may lag behind an erasure by what a spool holds; a shipper that stands still for longer raises an alarm.
LATE_ROWS = timedelta(days=7)
NOBODY = UUID(int=0)

# In the order of the key, which is the order of the triggers.
SPENT_BY_NOBODY = """
WITH gone AS (
    DELETE FROM analytics_spendrollup WHERE about = 'user' AND subject = %(user)s RETURNING start, calls, cost_micros
)
INSERT INTO analytics_spendrollup AS sofar (start, about, subject, calls, cost_micros)
SELECT start, 'user', %(nobody)s, calls, cost_micros FROM gone ORDER BY start
ON CONFLICT (about, start, subject) DO UPDATE
SET calls = sofar.calls + excluded.calls, cost_micros = sofar.cost_micros + excluded.cost_micros
"""
# What of a row is about a person, by table.
PERSONAL = {
    "analytics_apiaccesslog": "user_id = NULL, ip = NULL, user_agent = ''",
    "analytics_externalapicalllog": "user_id = NULL",
}
FORGET = """
UPDATE {table} SET {nothing}
WHERE (id, created_at) IN (SELECT id, created_at FROM {table} WHERE user_id = %s LIMIT {batch})
"""
STRAYS = """
SELECT user_id FROM (SELECT DISTINCT user_id FROM {table} WHERE created_at >= %s AND user_id IS NOT NULL) seen
WHERE NOT EXISTS (SELECT FROM accounts_user WHERE id = user_id)
"""


def sign_ins_of(user: User) -> list[dict[str, Any]]:
    columns = ("id", "created_at", "event", "success", "reason", "ip", "user_agent")
    return list(AuthenticationLog.objects.filter(user=user).order_by("created_at", "id").values(*columns))


def requests_of(user: User) -> list[dict[str, Any]]:
    columns = ("id", "created_at", "method", "route", "status", "ip", "user_agent")
    rows = APIAccessLog.objects.filter(user=user).order_by("-created_at", "-id")
    return list(rows.values(*columns)[:EXPORTED_REQUESTS])


def forget_person(user: User) -> None:
    """Take a person out of what is kept of requests and costs; their sign-ins go with the account."""
    _forget(user.pk)


def forget_strays(now: datetime | None = None) -> int:
    """Forget those erased while rows of theirs were still on their way here, and say how many there were."""
    since = (now or datetime.now(UTC)) - LATE_ROWS
    strays = {stray for table in PERSONAL for stray in _strays(table, since)}
    for stray in strays:
        _forget(stray)
    return len(strays)


def _forget(user_id: UUID) -> None:
    with connection.cursor() as cursor:
        for table, nothing in PERSONAL.items():
            statement = FORGET.format(table=table, nothing=nothing, batch=BATCH)
            cursor.execute(statement, [user_id])
            while cursor.rowcount:
                cursor.execute(statement, [user_id])
        cursor.execute(SPENT_BY_NOBODY, {"user": user_id, "nobody": NOBODY})


def _strays(table: str, since: datetime) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(STRAYS.format(table=table), [since])
        return [user_id for (user_id,) in cursor.fetchall()]
