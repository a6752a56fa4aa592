"""BrightData's word that a job is over: it only makes us ask sooner.

Nothing signs these messages, so the address holds a secret, the header holds it again, and what a message says is taken
for a hint: the job is asked after at the vendor as always, only now rather than in a few seconds.
"""

import hmac
import re

import orjson
from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import errors
from core.queue import enqueue
from social.models import Errand

LARGEST_BODY = 10_000
SNAPSHOT_ID = re.compile(r"[A-Za-z0-9_-]{6,64}")


class BrightDataWebhook(APIView):
    """A job of BrightData's is over, they say."""

    permission_classes = [AllowAny]
    authentication_classes = []
    throttle_classes = []

    # Its address is a secret between two services, so it is in no description.
    @extend_schema(exclude=True)
    def post(self, request: Request, token: str) -> Response:
        _check_tokens(token, request.headers.get("authorization", ""))
        hasten(snapshot_id=_snapshot_id(request))
        return Response(status=200)


def hasten(*, snapshot_id: str) -> None:
    """Let the errand that waits for this job run now."""
    now = timezone.now()
    waiting = Errand.objects.filter(
        scraper="brightdata", finished_at__isnull=True, run_after__gt=now, job__contains=snapshot_id
    )
    if waiting.update(run_after=now):
        enqueue("social.sweep")


def _check_tokens(*given: str) -> None:
    expected = settings.BRIGHTDATA_WEBHOOK_TOKEN.encode()
    right = [hmac.compare_digest(each.encode("utf-8", "replace"), expected) for each in given]
    if not (expected and all(right)):
        raise errors.Missing


def _snapshot_id(request: Request) -> str:
    # The rows themselves would come compressed; they are not asked for, and nothing is inflated here.
    if request.headers.get("content-encoding", "identity") != "identity":
        raise errors.Malformed
    body = request._request.read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        raise errors.TooLarge(details={"max_bytes": LARGEST_BODY})
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise errors.Malformed from None
    snapshot_id = told.get("snapshot_id") if isinstance(told, dict) else None
    if not (isinstance(snapshot_id, str) and SNAPSHOT_ID.fullmatch(snapshot_id)):
        raise errors.Malformed
    return snapshot_id
