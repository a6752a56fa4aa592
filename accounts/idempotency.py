"""The Idempotency-Key header: the same command sent twice takes effect once and is answered the same.

One transaction holds the key's row, the view's work and the answer, so they are kept together or not at all. Whoever
comes second with the key waits for that transaction on the unique index, then repeats the answer it left behind. An
error, raised or answered, leaves nothing behind: it can be tried again under the same key.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from psycopg.errors import LockNotAvailable
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import IdempotentAnswer, User
from core.errors import Conflict, Invalid
from core.ids import uuid7
from core.models import delete_in_batches
from core.wire import JSONRenderer

P = ParamSpec("P")
ViewMethod = Callable[Concatenate[Any, Request, P], HttpResponseBase]

SANE_KEY = re.compile(r"[!-~]{1,255}")
WAIT_SECONDS = 5

# Longer than any command takes that asks somebody outside: after that whoever had the key is taken to have died.
LEASE_SECONDS = 120

# Answers the id where the key is ours now: it was new, or what was known of it has expired, or was never answered.
CLAIM = f"""
INSERT INTO {IdempotentAnswer._meta.db_table} AS kept (id, created_at, user_id, key, fingerprint)
VALUES (%(id)s, now(), %(user_id)s, %(key)s, %(fingerprint)s)
ON CONFLICT (user_id, key) DO UPDATE
SET id = excluded.id, created_at = excluded.created_at, fingerprint = excluded.fingerprint, status = NULL, body = NULL
WHERE kept.created_at <= now() - make_interval(hours => %(hours)s)
OR kept.status IS NULL AND kept.created_at <= now() - make_interval(secs => %(lease)s)
RETURNING id
"""  # noqa: S608

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    OpenApiParameter.HEADER,
    description="Your own name for this command. Sent again with the same body, it is answered again, not done again.",
)
REPLAY_HEADER = OpenApiParameter(
    "Idempotent-Replay",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    response=True,
    description="The answer was given before, under the same key.",
)


class KeyReused(Conflict):
    """This Idempotency-Key was already used for another request."""

    code = "idempotency_key_reused"


class StillRunning(Conflict):
    """The first request with this Idempotency-Key is still running. Please try again shortly."""

    code = "idempotency_in_progress"
    retryable = True


@dataclass(frozen=True, slots=True)
class Command:
    """Who asks for what, under which name."""

    user_id: UUID
    key: str
    fingerprint: str


def idempotent(method: ViewMethod[P]) -> ViewMethod[P]:
    """Let a view's method honour the Idempotency-Key of signed-in callers.

    The method runs inside a transaction when a key was sent. So it must touch nothing but our database: no vendor
    call, no mail, nothing that cannot be rolled back. What has to leave the house waits for `transaction.on_commit`.
    """

    @extend_schema(parameters=[KEY_HEADER, REPLAY_HEADER])
    @wraps(method)
    def answer_once(view: Any, request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if (command := _command(request)) is None:
            return method(view, request, *args, **kwargs)
        with transaction.atomic():
            if (claim := _claim(command)) is None:
                return _replay(command)
            response = method(view, request, *args, **kwargs)
            _keep(claim, response)
        return response

    return answer_once


def idempotent_outside(method: ViewMethod[P]) -> ViewMethod[P]:
    """The same for a method that asks somebody outside, and so runs in no transaction.

    The key is taken first. Whoever comes while it is held is told to wait; one whose holder died may be taken over, so
    the method must be one that does no harm when it is done again.
    """

    @extend_schema(parameters=[KEY_HEADER, REPLAY_HEADER])
    @wraps(method)
    def answer_once(view: Any, request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if (command := _command(request)) is None:
            return method(view, request, *args, **kwargs)
        with transaction.atomic():
            claim = _claim(command)
        if claim is None:
            return _replay(command)
        try:
            response = method(view, request, *args, **kwargs)
        except BaseException:
            _give_up(claim)
            raise
        _keep(claim, response) if response.status_code < 400 else _give_up(claim)
        return response

    return answer_once


def _command(request: Request) -> Command | None:
    if (key := request.headers.get("Idempotency-Key")) is None:
        return None
    if not SANE_KEY.fullmatch(key):
        raise Invalid("An Idempotency-Key has 1 to 255 visible ASCII characters.")
    return Command(cast(User, request.user).pk, key, _fingerprint(request))


def _fingerprint(request: Request) -> str:
    # Reading the body here, before the view does, makes Django keep the bytes for both.
    command = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(command + request._request.body).hexdigest()


def _claim(command: Command) -> UUID | None:
    values: dict[str, Any] = {"id": uuid7(), "hours": settings.IDEMPOTENCY_HOURS, "lease": LEASE_SECONDS}
    values |= asdict(command)
    with connection.cursor() as cursor:
        # Behind a transaction pooler there is no such limit unless each transaction sets it.
        cursor.execute(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
        try:
            cursor.execute(CLAIM, values)
        except OperationalError as error:
            if isinstance(error.__cause__, LockNotAvailable):
                raise StillRunning(retry_after=1) from error
            raise
        row = cursor.fetchone()
    return row[0] if row else None


def _replay(command: Command) -> HttpResponse:
    answer = IdempotentAnswer.objects.filter(user_id=command.user_id, key=command.key).first()
    if answer is None:
        # It has just failed, and left nothing behind.
        raise StillRunning(retry_after=1)
    if answer.fingerprint != command.fingerprint:
        raise KeyReused
    if answer.status is None:
        raise StillRunning(retry_after=1)
    response = HttpResponse(answer.body, status=answer.status, content_type="application/json")
    if not answer.body:
        del response["Content-Type"]
    response["Idempotent-Replay"] = "true"
    return response


def _keep(claim: UUID, response: HttpResponseBase) -> None:
    if response.status_code >= 400:
        transaction.set_rollback(True)
        return
    if not isinstance(response, Response):
        raise TypeError("Only an answer made of data can be kept and given again.")
    # Kept as the text that was sent, so that a replay has the same bytes.
    text = JSONRenderer().render(response.data).decode()
    IdempotentAnswer.objects.filter(pk=claim).update(status=response.status_code, body=text)


def _give_up(claim: UUID) -> None:
    IdempotentAnswer.objects.filter(pk=claim).delete()


def forget_expired_answers() -> int:
    """Delete the answers whose keys may be used anew, a batch at a time, and say how many they were."""
    expired = IdempotentAnswer.objects.filter(created_at__lte=Now() - timedelta(hours=settings.IDEMPOTENCY_HOURS))
    return delete_in_batches(expired)
