"""Who somebody is, what they pay for, and what they have used."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from core.ids import uuid7
from core.models import Row

UNLIMITED = -1


class UserQuerySet(BaseUserManager["User"]):
    """The ways to make and find a user; e-mail addresses are compared without regard to case."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=normal_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, email_verified=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=normal_email(username or ""))


def normal_email(email: str) -> str:
    return email.strip().lower()


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by an e-mail address."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    email_verified = models.BooleanField(default=False)
    full_name = models.CharField(max_length=150, blank=True)
    company_name = models.CharField(max_length=150, blank=True)
    profile_image = models.URLField(max_length=1000, blank=True)
    # The identity provider that vouches for this person, and their id there; empty for local accounts.
    provider = models.CharField(max_length=20, default="local")
    provider_id = models.CharField(max_length=100, null=True, blank=True)
    # The provider's own clock at the last update, so that a late message cannot undo a newer one.
    provider_updated_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    # Asked to be forgotten: out at once, erased by a worker.
    erasure_asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When that was last begun: what cannot be done yet rests in between.
    erasure_tried_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[UserQuerySet] = UserQuerySet()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            # Only lower case is ever stored, so uniqueness disregards case and a plain index finds an address.
            models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_lower"),
            models.UniqueConstraint("provider", "provider_id", name="user_provider_id_unique"),
        ]
        indexes = [
            models.Index("erasure_asked_at", condition=Q(erasure_asked_at__isnull=False), name="erasure_waiting")
        ]

    def __str__(self) -> str:
        return self.email


class Plan(models.Model):
    """What a subscription allows; -1 means unlimited."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=60)
    price = models.PositiveIntegerField(help_text="In minor units of the currency.")
    currency = models.CharField(max_length=3, default="USD")
    interval = models.CharField(max_length=10, default="month")
    max_handles = models.IntegerField(help_text="Profiles a day and platform.")
    max_urls = models.IntegerField(help_text="Addresses in one request.")
    max_analyses_per_day = models.IntegerField()
    max_questions_per_day = models.IntegerField()
    features = models.JSONField(default=list, blank=True)
    products = models.JSONField(
        default=dict, blank=True, help_text='What it is called by each payment provider: {"dodo": "pdt_…"}.'
    )
    is_public = models.BooleanField(default=True)

    class Meta:
        ordering = ["price", "slug"]

    def __str__(self) -> str:
        return self.name

    def product_at(self, provider: str) -> str:
        """What is bought there from now on. Of several names the first is sold; the others only tell what was."""
        named = self.products.get(provider) or ""
        return str(next(iter(named), "")) if isinstance(named, list) else str(named)


class Subscription(Row):
    """A user's plan over time; exactly one row of a user is live."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE"
        PENDING = "PENDING"
        TRIAL = "TRIAL"
        FAILED = "FAILED"
        CANCELING = "CANCELING"
        CANCELLED = "CANCELLED"
        EXPIRED = "EXPIRED"
        PAST_DUE = "PAST_DUE"

    # The states in which a plan's limits apply. PENDING waits for a payment beside the live row.
    LIVE = (Status.ACTIVE, Status.TRIAL, Status.CANCELING, Status.PAST_DUE)

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="subscriptions")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.ACTIVE)
    downgrade_to_plan = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    current_period_start = models.DateTimeField(default=timezone.now)
    current_period_end = models.DateTimeField(null=True, blank=True)
    cancel_at_period_end = models.BooleanField(default=False)
    # Who is paid for it, and its id there; empty and null for what costs nothing or was granted.
    provider = models.CharField(max_length=20, blank=True)
    provider_id = models.CharField(max_length=100, null=True, blank=True)
    grace_until = models.DateTimeField(null=True, blank=True, help_text="Until when an unpaid renewal is waited for.")
    # When the look at the provider began that found it so: what an earlier look found is older.
    seen_at = models.DateTimeField(null=True, blank=True)
    paid_since = models.DateTimeField(null=True, blank=True, help_text="Empty: it never was.")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="Since when it is not live any more.")
    # Ended at its provider, and given to the end of what is paid for: another may be bought meanwhile.
    is_over = models.BooleanField(default=False, editable=False)
    # Paid for beside another one, and so never given: what was paid from then on goes back, and once that is asked for,
    # its owner is told.
    surplus_since = models.DateTimeField(null=True, blank=True, editable=False)
    returned_at = models.DateTimeField(null=True, blank=True, editable=False)
    # While its owner changes it: until then whoever else wants to, in another tab, has to wait.
    changing_until = models.DateTimeField(null=True, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        permissions = [
            ("grant_subscription", "Can grant a plan that nobody pays for"),
            ("cancel_subscription", "Can cancel a subscription at its provider"),
        ]
        indexes = [
            # What is paid for, by plan, and what ended in a month: the figures read nothing else.
            models.Index(
                "plan",
                "status",
                condition=Q(status__in=["ACTIVE", "TRIAL", "CANCELING", "PAST_DUE"], provider_id__isnull=False),
                name="subscriptions_paid",
            ),
            models.Index(
                "paid_since", condition=Q(ended_at=None, paid_since__isnull=False), name="subscriptions_going"
            ),
            models.Index("ended_at", condition=Q(ended_at__isnull=False), name="subscriptions_by_end"),
            models.Index(
                "surplus_since",
                condition=Q(surplus_since__isnull=False, returned_at__isnull=True),
                name="surplus_waiting",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                "user",
                condition=Q(status__in=["ACTIVE", "TRIAL", "CANCELING", "PAST_DUE"]),
                name="one_live_subscription",
            ),
            models.UniqueConstraint("user", condition=Q(status="PENDING"), name="one_pending_subscription"),
            models.UniqueConstraint("provider", "provider_id", name="subscription_provider_id_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.provider_id or self.pk} {self.status}"


class UsageKind(models.TextChoices):
    """What is counted."""

    HANDLE_ANALYSES = "handle_analyses"
    URL_LOOKUPS = "url_lookups"
    POST_SUGGESTIONS = "post_suggestions"
    QUESTIONS_ASKED = "questions_asked"


class UserUsage(models.Model):
    """How much a user used on one UTC day on one platform."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="usage", db_index=False)
    day = models.DateField()
    platform = models.CharField(max_length=20)
    handle_analyses = models.PositiveIntegerField(default=0)
    url_lookups = models.PositiveIntegerField(default=0)
    post_suggestions = models.PositiveIntegerField(default=0)
    questions_asked = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name, verbose_name_plural = "use of a day", "use by day"
        constraints = [models.UniqueConstraint("user", "day", "platform", name="one_usage_row_a_day")]
        indexes = [models.Index("user", "day", "id", name="usage_of_user")]

    def __str__(self) -> str:
        return f"{self.day} {self.platform}"


class UsageEntry(Row):
    """One thing that units were spent on: its unique key makes spending and giving back happen once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="usage_entries")
    day = models.DateField()
    platform = models.CharField(max_length=20)
    kind = models.CharField(max_length=20, choices=UsageKind.choices)
    source = models.CharField(max_length=80, help_text="What the units were spent on, as kind:id.")
    amount = models.PositiveIntegerField()
    given_back_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = "unit spent", "units spent"
        constraints = [models.UniqueConstraint("source", "kind", name="usage_spent_once")]

    def __str__(self) -> str:
        return f"{self.source} {self.kind}"


class UserSession(Row):
    """One sign-in: the family that its refresh tokens form, or the session that an outside provider keeps."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    key = models.CharField(max_length=100, unique=True, help_text="The `sid` its tokens carry.")
    refresh_id = models.CharField(max_length=40, blank=True, help_text="The one refresh token that is still good.")
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_why = models.CharField(max_length=40, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = "session", "sessions"
        indexes = [models.Index("expires_at", name="session_expiry")]

    def __str__(self) -> str:
        return self.key


class OutgoingMail(Row):
    """A mail that is owed to somebody. It holds no text and no token: both are made when it is sent."""

    # Nobody, where a reset was asked for an address that has no account: the same work, so the same time.
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    template = models.CharField(max_length=40)
    attempts = models.PositiveSmallIntegerField(default=0)
    run_after = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = "mail", "mails"
        indexes = [
            models.Index("created_at", name="mail_age"),
            models.Index(F("run_after"), condition=Q(sent_at__isnull=True), name="mail_waiting"),
        ]

    def __str__(self) -> str:
        return self.template


class IdempotentAnswer(Row):
    """The answer given to a keyed request, kept so that the same request gets the same answer."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="Of the method, the path and the body.")
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(null=True, help_text="The exact bytes of the answer.")

    class Meta:
        constraints = [models.UniqueConstraint("user", "key", name="one_answer_per_key")]
        indexes = [models.Index("created_at", name="answer_age")]

    def __str__(self) -> str:
        return self.key
