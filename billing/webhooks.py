"""Where payment providers send their events to."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from billing import inbox
from billing.refused import count_refused
from core.api import answer_problem, bounded_body
from core.errors import Problem
from core.requests import client_address
from core.webhooks import ForgedWebhook
from core.wire import require_length

STANDARD_HEADERS = [
    OpenApiParameter(f"webhook-{name}", {"type": "string", "pattern": pattern}, OpenApiParameter.HEADER, required=True)
    for name, pattern in {
        "id": "^[!-\\-/-~]{1,255}$", "timestamp": "^[0-9]{1,12}$", "signature": "^v1,[A-Za-z0-9+/]{43}=$",
    }.items()
]  # fmt: skip
STRIPE_HEADERS = [
    OpenApiParameter(
        "Stripe-Signature", {"type": "string", "pattern": "^t=[0-9]{1,12},v1=[0-9a-f]{64}$"}, OpenApiParameter.HEADER,
        required=True,
    )
]  # fmt: skip
AN_EVENT = OpenApiRequest(
    {"type": "object"}, examples=[OpenApiExample("An event", value={"type": "subscription.active", "data": {}})]
)
# Of the headers, those that say what was signed and when; never a cookie or a token.
KEPT_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature", "stripe-signature", "user-agent")
KEPT = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in KEPT_HEADERS}


def answer(provider: str, request: HttpRequest) -> HttpResponse:
    """200 once a delivery is stored, whatever becomes of it; else why it is refused."""
    try:
        _take(provider, request)
    except Exception as error:
        refusal = answer_problem(error, {"request": request})
        if refusal is None:
            raise
        return refusal
    return HttpResponse(headers={"Content-Type": "text/plain", "Content-Length": "0"})


def _take(provider: str, request: HttpRequest) -> None:
    told = request.META.get("CONTENT_LENGTH", "")
    try:
        require_length(request)
        inbox.receive(provider, bounded_body(request), _headers(request))
    except Problem as problem:
        size = int(told) if told.isdecimal() else 0
        about = {"address": client_address(request), "request_id": request.request_id}  # type: ignore[attr-defined]
        count_refused(provider, problem, size=size, **about)
        raise


class Webhook(APIView):
    """Events of a payment provider."""

    permission_classes = [AllowAny]
    authentication_classes = []
    throttle_classes = []
    provider = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """A delivery does not go through REST framework, which would take longer than all that is done about it."""
        return self.post(request) if request.method == "POST" else super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        return answer(self.provider, request)


class DodoWebhook(Webhook):
    """Events of Dodo Payments."""

    provider = "dodo"

    @extend_schema(parameters=STANDARD_HEADERS, request=AN_EVENT, responses={200: None, 401: ForgedWebhook})
    def post(self, request: HttpRequest) -> HttpResponse:
        """Events of Dodo Payments, signed as Standard Webhooks are: 200 once stored, whatever becomes of them."""
        return super().post(request)


class StripeWebhook(Webhook):
    """Events of Stripe."""

    provider = "stripe"

    @extend_schema(parameters=STRIPE_HEADERS, request=AN_EVENT, responses={200: None, 401: ForgedWebhook})
    def post(self, request: HttpRequest) -> HttpResponse:
        """Events of Stripe, signed in its own way: 200 once stored, whatever becomes of them."""
        return super().post(request)


def _headers(request: HttpRequest) -> dict[str, str]:
    """Those alone that are looked at: to have them all by name takes longer than to check a signature."""
    meta = request.META
    return {name: meta[key] for name, key in KEPT.items() if key in meta}
