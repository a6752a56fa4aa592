"""What happened, kept as it happened."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from core.models import Row


class APIAccessLog(Row):
    """One request and how it was answered. Partitioned by month; written by the shipper only."""

    method = models.CharField(max_length=10)
    # The pattern, never the path: an address with ids in it could not be counted, and may say who it is about.
    route = models.CharField(max_length=200)
    status = models.PositiveSmallIntegerField()
    # A stream may stay open for hours.
    duration_us = models.PositiveBigIntegerField()
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    request_id = models.CharField(max_length=64)
    error_code = models.CharField(max_length=60, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = "request", "requests"
        indexes = [
            models.Index("created_at", "id", name="access_age"),
            models.Index("user", "created_at", "id", name="access_of_user"),
            models.Index("request_id", name="access_of_request"),
            models.Index("created_at", "id", name="access_failures", condition=Q(status__gte=400)),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.status}"


class ExternalAPICallLog(Row):
    """One call to a vendor, what it used and what that cost. Partitioned by month; written by the shipper only."""

    vendor = models.CharField(max_length=40)
    operation = models.CharField(max_length=60)
    # Of a language model; others have none.
    model = models.CharField(max_length=80, blank=True)
    status = models.PositiveSmallIntegerField(null=True)
    # "ok", or the code of the error it ended with.
    outcome = models.CharField(max_length=60)
    duration_ms = models.PositiveIntegerField()
    attempts = models.PositiveSmallIntegerField(default=1)
    # What the price is asked for: {"input_tokens": 1200, "output_tokens": 300}.
    units = models.JSONField(default=dict)
    # Computed by the database at the price of its day; null where no price is known.
    cost_micros = models.BigIntegerField(null=True)
    error = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    analysis_id = models.UUIDField(null=True)
    chat_id = models.UUIDField(null=True)

    class Meta:
        verbose_name, verbose_name_plural = "vendor call", "vendor calls"
        indexes = [
            models.Index("created_at", "id", name="vendor_call_age"),
            models.Index("vendor", "created_at", "id", name="vendor_call_of_vendor"),
            models.Index("user", "created_at", "id", name="vendor_call_of_user"),
            models.Index("request_id", name="vendor_call_of_request", condition=~Q(request_id="")),
            models.Index("analysis_id", name="vendor_call_of_analysis", condition=Q(analysis_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.vendor} {self.operation}"


class AuthenticationLog(Row):
    """One attempt to come in, go out or change a password. Partitioned by month."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    event = models.CharField(max_length=30)
    success = models.BooleanField()
    reason = models.CharField(max_length=60, blank=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = "sign-in", "sign-ins"
        indexes = [
            models.Index("user", "created_at", "id", name="authentication_of_user"),
            models.Index("created_at", "id", name="authentication_age"),
            models.Index("ip", "created_at", "id", name="authentication_from"),
            models.Index("request_id", name="authentication_of_request", condition=~Q(request_id="")),
        ]

    def __str__(self) -> str:
        return self.event


class VendorPrice(models.Model):
    """What a vendor asks for one kind of unit, from a moment on; the most particular price that fits counts."""

    vendor = models.CharField(max_length=40)
    operation = models.CharField(max_length=60, blank=True, help_text="Empty for all of them.")
    model = models.CharField(max_length=80, blank=True, help_text="Empty for all of them.")
    unit = models.CharField(max_length=40, help_text="As calls count it: input_tokens, cached_input_tokens, records.")
    micros_per_million = models.PositiveBigIntegerField(help_text="Micro-dollars for a million units.")
    tier_unit = models.CharField(
        max_length=40, blank=True, help_text="The unit whose amount in a call, cached ones included, decides the tier."
    )
    tier_from = models.PositiveBigIntegerField(default=0, help_text="The price counts for calls with more than this.")
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Exclusive; empty while it is valid.")

    class Meta:
        ordering = ["vendor", "operation", "model", "unit", "tier_from", "valid_from"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gt=models.F("valid_from")),
                name="price_ends_after_it_begins",
            ),
            models.CheckConstraint(condition=Q(tier_from=0) | ~Q(tier_unit=""), name="price_tier_has_a_unit"),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, [self.vendor, self.operation, self.model, self.unit]))

    def clean(self) -> None:
        """Say in words what the database would refuse: two prices for one moment."""
        same: dict[str, Any] = {
            name: getattr(self, name) for name in ("vendor", "operation", "model", "unit", "tier_from")
        }
        others = VendorPrice.objects.filter(**same).exclude(pk=self.pk)
        if self.valid_until:
            others = others.filter(valid_from__lt=self.valid_until)
        if self.valid_from and others.filter(Q(valid_until__isnull=True) | Q(valid_until__gt=self.valid_from)).exists():
            raise ValidationError("There is a price for this time already: let that one end first.")


class Period(models.TextChoices):
    """How much time a row of a roll-up sums up; a total has begun in 1970 and only ever grows."""

    HOUR = "hour"
    DAY = "day"
    TOTAL = "total"


class RequestRollup(models.Model):
    """How many requests there were, and how long they took together. Kept by triggers, like all that follow.

    The route * is all of them together, for the hours and the days.
    """

    pk = models.CompositePrimaryKey("period", "start", "route", "method", "status")
    period = models.TextField(choices=Period.choices, db_collation="C")
    start = models.DateTimeField()
    route = models.TextField(db_collation="C")
    method = models.TextField(db_collation="C")
    status = models.SmallIntegerField()
    requests = models.BigIntegerField()
    micros = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.status}"


class LatencyRollup(models.Model):
    """How many requests took how long: bucket b holds those from 1.2^b up to 1.2^(b+1) microseconds.

    A total has a quarter of the buckets: b holds what the three below it would hold too.
    """

    pk = models.CompositePrimaryKey("period", "start", "route", "method", "status_class", "bucket")
    period = models.TextField(choices=Period.choices, db_collation="C")
    start = models.DateTimeField()
    route = models.TextField(db_collation="C")
    method = models.TextField(db_collation="C")
    status_class = models.SmallIntegerField()
    bucket = models.SmallIntegerField()
    requests = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.bucket}"


class VendorRollup(models.Model):
    """How often vendors were called, how that ended and what it cost."""

    pk = models.CompositePrimaryKey("period", "start", "vendor", "operation", "model", "outcome")
    period = models.TextField(choices=Period.choices, db_collation="C")
    start = models.DateTimeField()
    vendor = models.TextField(db_collation="C")
    operation = models.TextField(db_collation="C")
    model = models.TextField(db_collation="C")
    outcome = models.TextField(db_collation="C")
    calls = models.BigIntegerField()
    duration_ms = models.BigIntegerField()
    cost_micros = models.BigIntegerField()
    # Calls whose cost is not known, and so not in the sum.
    unpriced = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.vendor} {self.operation} {self.outcome}"


class UnitRollup(models.Model):
    """How much of a vendor was used on a day, by the vendor's own count."""

    pk = models.CompositePrimaryKey("start", "vendor", "operation", "model", "unit")
    start = models.DateTimeField()
    vendor = models.TextField(db_collation="C")
    operation = models.TextField(db_collation="C")
    model = models.TextField(db_collation="C")
    unit = models.TextField(db_collation="C")
    amount = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.vendor} {self.unit}"


class SpendRollup(models.Model):
    """What was spent on a day on a user, an analysis or a chat; nobody is a user of zeros."""

    class About(models.TextChoices):
        USER = "user"
        ANALYSIS = "analysis"
        CHAT = "chat"

    pk = models.CompositePrimaryKey("about", "start", "subject")
    start = models.DateTimeField()
    about = models.TextField(choices=About.choices, db_collation="C")
    subject = models.UUIDField()
    calls = models.BigIntegerField()
    cost_micros = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.about} {self.subject}"
