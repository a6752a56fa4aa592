"""The money: what was paid, with what, what came back, and every word a provider sent about it."""

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q, Sum

from accounts.models import Plan, Subscription
from core.models import Row


class Customer(Row):
    """A user as a provider knows them."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    provider = models.CharField(max_length=20)
    customer_id = models.CharField(max_length=100)
    # When the look at their cards began whose answer is kept: what an earlier look found is older.
    cards_seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("user", "provider", name="one_customer_per_provider"),
            models.UniqueConstraint("provider", "customer_id", name="one_user_per_customer"),
        ]

    def __str__(self) -> str:
        return self.customer_id


class Checkout(Row):
    """The page on which a subscription is being paid for: whoever asks again is given the same."""

    subscription = models.OneToOneField(Subscription, on_delete=models.CASCADE, related_name="checkout")
    provider_id = models.CharField(max_length=255)
    # Whoever has it can pay, and sees for whom: it is shown to its owner alone.
    url = models.CharField(max_length=4000)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index("expires_at", name="checkouts_by_end")]

    def __str__(self) -> str:
        return self.provider_id


class Wish(Row):
    """What is wanted of a subscription while several calls make it so; see `billing/wishes.py`."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="wishes")
    # It is charged and goes on; or none: something else than before shall come at the end of the period.
    plan = models.ForeignKey(Plan, null=True, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.plan or 'not as it is'}"


class PaymentMethod(Row):
    """A means of payment that a provider keeps; we know its last four digits and no more."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="payment_methods")
    provider = models.CharField(max_length=20)
    provider_id = models.CharField(max_length=100)
    kind = models.CharField(max_length=30, default="card")
    brand = models.CharField(max_length=30, blank=True)
    last4 = models.CharField(max_length=4, blank=True)
    expires_month = models.PositiveSmallIntegerField(null=True)
    expires_year = models.PositiveSmallIntegerField(null=True)
    is_default = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint("provider", "provider_id", name="payment_method_once"),
            models.UniqueConstraint("user", condition=Q(is_default=True), name="one_default_payment_method"),
        ]

    def __str__(self) -> str:
        return f"{self.brand} {self.last4}".strip()


class Payment(Row):
    """One charge, as its provider had it when we last looked."""

    class Status(models.TextChoices):
        PENDING = "PENDING"
        PROCESSING = "PROCESSING"
        SUCCEEDED = "SUCCEEDED"
        FAILED = "FAILED"
        CANCELED = "CANCELED"
        REFUNDED = "REFUNDED"

    # Kept when its user is erased: the books outlive the account.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="payments")
    subscription = models.ForeignKey(Subscription, null=True, on_delete=models.SET_NULL, related_name="payments")
    provider = models.CharField(max_length=20)
    provider_id = models.CharField(max_length=100)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PENDING)
    reason = models.CharField(max_length=20, help_text="new, renewal, plan_change or other.")
    amount = models.BigIntegerField(help_text="In minor units, tax included.")
    tax = models.BigIntegerField(default=0)
    refunded = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    failure = models.CharField(max_length=60, blank=True)
    disputed = models.CharField(max_length=10, blank=True, help_text="open, won, lost or closed; empty: never.")
    # Of each dispute, how it was found, when that look began and what is lost by it: there may be two, and the worst
    # of them stands above.
    disputes = models.JSONField(default=dict, editable=False)
    lost = models.BigIntegerField(default=0, help_text="How much of it disputes have taken.")
    lost_at = models.DateTimeField(null=True, help_text="When we first heard of that.")
    paid_at = models.DateTimeField(null=True)
    # When the look began that found it so: what an earlier look found is older.
    seen_at = models.DateTimeField()
    # While one of the staff gives it back: until then nobody else may.
    refunding_until = models.DateTimeField(null=True)

    class Meta:
        permissions = [("refund_payment", "Can give a payment back")]
        constraints = [
            models.UniqueConstraint("provider", "provider_id", name="payment_once"),
            models.CheckConstraint(condition=Q(refunded__gte=0, refunded__lte=F("amount")), name="refunded_within"),
        ]
        indexes = [
            models.Index("user", "created_at", "id", name="payments_of_user"),
            models.Index("status", "paid_at", name="payments_by_status"),
            models.Index("status", "created_at", "id", name="payments_by_status_age"),
            models.Index("lost_at", condition=Q(lost_at__isnull=False), name="payments_lost"),
        ]

    def __str__(self) -> str:
        return self.provider_id

    @property
    def is_in_dispute(self) -> bool:
        """Its bank holds the money, or has taken it: whoever gave it back as well would give it twice."""
        return self.disputed in ("open", "lost")

    def asked_back(self) -> int:
        """How much has gone back of it, or is on its way."""
        return max(self.share_of(self.refunds.exclude(status=Refund.Status.FAILED)), self.refunded)

    def share_of(self, refunds: "models.QuerySet[Refund]") -> int:
        """How much of it they are. In another currency only a whole one tells that: rates are the provider's."""
        if refunds.filter(partial=False).exclude(currency=self.currency).exists():
            return self.amount
        return refunds.filter(currency=self.currency).aggregate(total=Sum("amount"))["total"] or 0

    def count_failed_refunds(self) -> int:
        """After one that failed, the next has to be another one to its provider."""
        return self.refunds.filter(status=Refund.Status.FAILED).count()


class Invoice(Row):
    """A payment's invoice; its PDF is fetched from the provider when its owner asks, and never linked to."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="invoices")
    payment = models.OneToOneField(Payment, on_delete=models.CASCADE, related_name="invoice")
    provider_id = models.CharField(max_length=100)
    number = models.CharField(max_length=60)
    amount = models.BigIntegerField()
    tax = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    issued_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index("user", "created_at", "id", name="invoices_of_user")]

    def __str__(self) -> str:
        return self.number


class Refund(Row):
    """Money that went back."""

    class Status(models.TextChoices):
        PENDING = "PENDING"
        SUCCEEDED = "SUCCEEDED"
        FAILED = "FAILED"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="refunds")
    payment = models.ForeignKey(Payment, on_delete=models.CASCADE, related_name="refunds")
    provider = models.CharField(max_length=20)
    provider_id = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    partial = models.BooleanField(default=False)
    reason = models.CharField(max_length=300, blank=True)
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint("provider", "provider_id", name="refund_once")]
        indexes = [
            models.Index("user", "created_at", "id", name="refunds_of_user"),
            models.Index("status", "created_at", "id", name="refunds_by_status_age"),
        ]

    def __str__(self) -> str:
        return self.provider_id


class BillingEvent(Row):
    """A delivery from a provider: stored before anything is thought about it, and processed from here."""

    class State(models.TextChoices):
        RECEIVED = "received"
        PROCESSED = "processed"
        RECORDED = "recorded"
        IGNORED = "ignored"
        FAILED = "failed"

    provider = models.CharField(max_length=20)
    delivery_id = models.CharField(max_length=255)
    type = models.CharField(max_length=100, blank=True)
    # Personal data: both are forgotten after a while, as the other records are. The row stays, or it would come twice.
    body = models.BinaryField(default=b"")
    headers = models.JSONField(default=dict)
    about = models.JSONField(default=dict, help_text="The provider's ids of what it is about.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVED)
    attempts = models.PositiveSmallIntegerField(default=0)
    run_after = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)
    processed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint("provider", "delivery_id", name="event_once")]
        indexes = [
            models.Index("created_at", "id", name="event_age"),
            # From a payment back to what was said about it.
            # At once: with a list of what is pending, every so often one delivery waits until all of that is filed.
            GinIndex(fields=["about"], opclasses=["jsonb_path_ops"], name="event_about", fastupdate=False),
            models.Index(F("run_after"), condition=Q(state="received"), name="event_waiting"),
            models.Index(F("created_at"), condition=Q(state="failed"), name="event_given_up"),
            models.Index(F("created_at"), condition=~Q(body=b""), name="event_with_body"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.delivery_id}"


class RefusedDelivery(Row):
    """Deliveries of one hour that were refused for one reason: nothing of them is kept but how many they were."""

    provider = models.CharField(max_length=20)
    code = models.CharField(max_length=40)
    hour = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)
    last_at = models.DateTimeField()
    # Of the latest: who seems to send them, how large it was, and under which request id the access log has it.
    address = models.CharField(max_length=45, blank=True)
    bytes = models.PositiveIntegerField(default=0)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = "refused deliveries"
        constraints = [models.UniqueConstraint("provider", "code", "hour", name="refused_of_hour")]
        indexes = [models.Index("created_at", "id", name="refused_age")]

    def __str__(self) -> str:
        return f"{self.provider} {self.code} {self.hour:%Y-%m-%d %H:00}"
