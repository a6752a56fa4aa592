"""Billing over HTTP: each view reads the request, calls one verb and shapes the answer."""

from collections.abc import Collection
from typing import Any, cast
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.bodies import plan_body, subscription_body
from accounts.idempotency import idempotent_outside
from accounts.models import Plan, Subscription, User
from accounts.serializers import SubscriptionSerializer
from accounts.subscriptions import AlreadySubscribed
from billing import serializers as shapes
from billing import services
from billing.models import Invoice, Payment, PaymentMethod, Refund
from billing.providers import refusals
from core import errors
from core.api import ValuesListView, checked
from core.statements import Parameter
from core.throttling import ApiThrottle


class OwnRows(ValuesListView):
    """One's own rows, the newest first."""

    def given(self) -> dict[str, Any]:
        return {"user": _user(self.request).pk}


class BillingThrottle(ApiThrottle):
    """How often one user may have a provider asked, which counts what all of them ask."""

    scope = "billing"


class Asking(APIView):
    """What asks a provider, at once."""

    throttle_classes = [ApiThrottle, BillingThrottle]


class Subscribe(Asking):
    """Buy a plan."""

    @extend_schema(
        request=shapes.SubscribeSerializer,
        responses={
            201: shapes.SubscribedSerializer,
            404: errors.Missing,
            409: AlreadySubscribed,
            503: errors.NotConfigured,
        },
    )
    @idempotent_outside
    def post(self, request: Request) -> Response:
        """Open the page on which a plan is paid. The plan begins when the payment is in."""
        asked = checked(shapes.SubscribeSerializer, request.data).validated_data
        opened = services.subscribe(_user(request), _plan(asked["plan_id"]), provider_name=asked.get("provider"))
        body = {"checkout_url": opened.checkout_url, "subscription": subscription_body(opened.subscription)}
        lost = opened.replaces
        replaces = {"plan": plan_body(lost.plan), "until": lost.current_period_end} if lost else None
        return Response(body | {"replaces": replaces}, status=201)


class Upgrade(Asking):
    """Change the plan."""

    @extend_schema(
        request=shapes.UpgradeSerializer,
        responses={
            200: SubscriptionSerializer,
            402: refusals.PaymentFailed,
            404: errors.Missing,
            409: refusals.NotPaid,
        },
    )
    @idempotent_outside
    def post(self, request: Request) -> Response:
        """A dearer plan begins now, with what is left of the old one reckoned in; a cheaper one at the period's end.

        Where the card is refused the answer is 402, and nothing has changed; where the bank wants the payment
        confirmed, its code is `payment_needs_confirmation`, and `confirm_url` leads to where that is done.
        """
        asked = checked(shapes.UpgradeSerializer, request.data).validated_data
        plan = _plan(asked["plan_id"])
        changed = services.change_plan(_user(request), plan, priced_at=asked.get("priced_at"))
        return Response(subscription_body(changed))


class UpgradePreview(Asking):
    """What a change of plan would cost."""

    @extend_schema(
        request=shapes.PlanChoiceSerializer,
        responses={200: shapes.PreviewSerializer, 404: errors.Missing, 409: refusals.NotPaid},
    )
    def post(self, request: Request) -> Response:
        """What a change of plan would cost now, as the provider reckons it, and when it would begin."""
        asked = checked(shapes.PlanChoiceSerializer, request.data).validated_data
        plan = _plan(asked["plan_id"])
        shown = services.preview_change(_user(request), plan)
        names = ("amount", "tax", "currency", "effective_at", "priced_at")
        what = {"change": shown.change, "plan_before": shown.plan_before.slug, "plan_after": plan.slug}
        return Response(what | {name: getattr(shown.cost, name) for name in names})


class Cancel(Asking):
    """Cancel at the end of what is paid for."""

    @extend_schema(request=None, responses={200: SubscriptionSerializer, 409: refusals.NotPaid})
    @idempotent_outside
    def post(self, request: Request) -> Response:
        """Cancel: the plan goes on to the end of what is paid for, then comes Free.

        While a renewal is owed nothing is paid for: then Free comes at once, and what is owed is not tried again.
        """
        return Response(subscription_body(services.cancel(_user(request))))


class Resume(Asking):
    """Go on after all."""

    @extend_schema(request=None, responses={200: SubscriptionSerializer, 409: refusals.NotPaid})
    def post(self, request: Request) -> Response:
        """Undo a cancellation, or a change that was to come at the end of the period."""
        return Response(subscription_body(services.resume(_user(request))))


class Portal(Asking):
    """The provider's own pages."""

    @extend_schema(request=None, responses={200: shapes.LinkSerializer, 409: refusals.NotPaid})
    def post(self, request: Request) -> Response:
        """A link to the provider's own pages about you."""
        return Response({"url": services.open_portal(_user(request))})


class UpdateCard(Asking):
    """Another means of payment."""

    @extend_schema(request=None, responses={200: shapes.LinkSerializer, 409: refusals.NotPaid})
    def post(self, request: Request) -> Response:
        """A link to the page on which another card is entered."""
        return Response({"url": services.update_card(_user(request))})


class History(OwnRows):
    """The subscriptions one has had."""

    serializer_class = shapes.HistorySerializer

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[Subscription]:
        own = Subscription.objects.filter(**{name: Parameter(name) for name in given})
        # A checkout that nobody paid was no subscription yet.
        was_had = Q(provider="") | Q(paid_since__isnull=False) | Q(status__in=Subscription.LIVE)
        return own.filter(was_had)

    def get(self, request: Request) -> Response:
        """The subscriptions one has had."""
        answer = super().get(request)
        plans = {str(plan.pk): plan_body(plan) for plan in Plan.objects.all()}
        for row in answer.data["results"]:
            row["plan"] = plans[row["plan"]]
        return answer


class Payments(OwnRows):
    """One's own payments."""

    serializer_class = shapes.PaymentSerializer

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[Payment]:
        return Payment.objects.filter(**{name: Parameter(name) for name in given})


class Invoices(OwnRows):
    """One's own invoices."""

    serializer_class = shapes.InvoiceSerializer

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[Invoice]:
        return Invoice.objects.filter(**{name: Parameter(name) for name in given})


class Refunds(OwnRows):
    """What one got back."""

    serializer_class = shapes.RefundSerializer

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[Refund]:
        return Refund.objects.filter(**{name: Parameter(name) for name in given})


class PaymentMethods(OwnRows):
    """One's own means of payment."""

    serializer_class = shapes.PaymentMethodSerializer

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[PaymentMethod]:
        return PaymentMethod.objects.filter(**{name: Parameter(name) for name in given})


class InvoicePdf(Asking):
    """An invoice as a PDF."""

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY, 404: errors.Missing})
    def get(self, request: Request, invoice_id: UUID) -> HttpResponse:
        """The invoice as its provider prints it."""
        content = services.invoice_pdf(_user(request), invoice_id)
        headers = {
            "Content-Disposition": f'attachment; filename="invoice-{invoice_id}.pdf"',
            "Cache-Control": "no-store",
        }
        return HttpResponse(content, content_type="application/pdf", headers=headers)


def _user(request: Request) -> User:
    return cast(User, request.user)


def _plan(plan_id: UUID) -> Plan:
    plan = Plan.objects.filter(pk=plan_id).first()
    if plan is None:
        raise errors.Missing("There is no such plan. Plans are listed at /api/accounts/plans/.")
    return plan
