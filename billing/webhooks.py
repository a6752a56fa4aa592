"""Where payment providers send their events to."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import inbox
from core.api import bounded_body
from core.webhooks import ForgedWebhook

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


class Webhook(APIView):
    """Events of a payment provider."""

    permission_classes = [AllowAny]
    authentication_classes = []
    throttle_classes = []
    provider = ""

    def receive(self, request: Request) -> Response:
        inbox.receive(self.provider, bounded_body(request), request.headers)
        return Response(status=200)


class DodoWebhook(Webhook):
    """Events of Dodo Payments."""

    provider = "dodo"

    @extend_schema(parameters=STANDARD_HEADERS, request=AN_EVENT, responses={200: None, 401: ForgedWebhook})
    def post(self, request: Request) -> Response:
        """Events of Dodo Payments, signed as Standard Webhooks are: 200 once stored, whatever becomes of them."""
        return self.receive(request)


class StripeWebhook(Webhook):
    """Events of Stripe."""

    provider = "stripe"

    @extend_schema(parameters=STRIPE_HEADERS, request=AN_EVENT, responses={200: None, 401: ForgedWebhook})
    def post(self, request: Request) -> Response:
        """Events of Stripe, signed in its own way: 200 once stored, whatever becomes of them."""
        return self.receive(request)
