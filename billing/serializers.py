"""What billing takes and gives over HTTP; lists are drawn straight from the columns that are named here."""

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from accounts.models import Subscription
from accounts.serializers import PlanSerializer, SubscriptionSerializer
from billing.models import Invoice, Payment, PaymentMethod, Refund
from core.schema import EXAMPLE_ID

A_PLAN = OpenApiExample("A plan", value={"plan_id": EXAMPLE_ID})


@extend_schema_serializer(examples=[A_PLAN])
class PlanChoiceSerializer(serializers.Serializer[None]):
    """A plan that is wanted."""

    plan_id = serializers.UUIDField()


@extend_schema_serializer(examples=[A_PLAN])
class SubscribeSerializer(PlanChoiceSerializer):
    """A plan that is to be bought."""

    provider = serializers.CharField(
        max_length=20, required=False, help_text="`dodo` or `stripe`; whichever is set up."
    )


@extend_schema_serializer(examples=[A_PLAN])
class UpgradeSerializer(PlanChoiceSerializer):
    """A plan that is to be changed to."""

    priced_at = serializers.DateTimeField(
        required=False, allow_null=True,
        help_text="As the preview said, some minutes ago at most: what was shown there is what is charged.",
    )  # fmt: skip


class ReplacedSerializer(serializers.Serializer[None]):
    """A plan that is paid for, or given, for some time yet."""

    plan = PlanSerializer()
    until = serializers.DateTimeField()


class SubscribedSerializer(serializers.Serializer[None]):
    """A page to pay on."""

    checkout_url = serializers.URLField()
    subscription = SubscriptionSerializer()
    replaces = ReplacedSerializer(
        allow_null=True,
        help_text="What ends as soon as this is paid, without its rest being reckoned in. Null: nothing.",
    )


class PreviewSerializer(serializers.Serializer[None]):
    """What a change of plan would cost now, as the provider reckons it; below zero is credited."""

    amount = serializers.IntegerField(help_text="In minor units.")
    tax = serializers.IntegerField()
    currency = serializers.CharField()
    change = serializers.ChoiceField(
        choices=["upgrade", "downgrade", "cancel", "stay"],
        help_text="An upgrade begins at once, a downgrade or a cancellation when what is paid for ends. "
        "To stay undoes what was to happen then.",
    )
    plan_before = serializers.SlugField(help_text="The plan you have.")
    plan_after = serializers.SlugField(help_text="The plan you asked about.")
    effective_at = serializers.DateTimeField(
        allow_null=True, help_text="When it begins. Null: at the end of the period, which its provider has not told."
    )
    priced_at = serializers.DateTimeField(
        allow_null=True, help_text="Send it with the change. Null: the provider reckons anew then."
    )


class LinkSerializer(serializers.Serializer[None]):
    """A page of the provider's."""

    url = serializers.URLField()


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    """A charge."""

    class Meta:
        model = Payment
        fields = [
            "id", "status", "reason", "amount", "tax", "refunded", "currency", "failure", "provider", "paid_at",
            "created_at",
        ]  # fmt: skip


class InvoiceSerializer(serializers.ModelSerializer[Invoice]):
    """An invoice; its PDF is at `invoices/{id}/pdf/`."""

    class Meta:
        model = Invoice
        fields = ["id", "number", "payment_id", "amount", "tax", "currency", "issued_at", "created_at"]


class RefundSerializer(serializers.ModelSerializer[Refund]):
    """Money that went back."""

    class Meta:
        model = Refund
        fields = ["id", "payment_id", "status", "amount", "currency", "partial", "reason", "created_at"]


class PaymentMethodSerializer(serializers.ModelSerializer[PaymentMethod]):
    """A means of payment."""

    class Meta:
        model = PaymentMethod
        fields = [
            "id", "kind", "brand", "last4", "expires_month", "expires_year", "is_default", "provider", "created_at",
        ]  # fmt: skip


class HistorySerializer(serializers.ModelSerializer[Subscription]):
    """A subscription that was, or is."""

    plan = PlanSerializer()

    class Meta:
        model = Subscription
        fields = [
            "id", "plan", "status", "current_period_start", "current_period_end", "cancel_at_period_end", "created_at",
        ]  # fmt: skip
