"""The shapes of the accounts' answers and questions."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.identity import NewUser
from accounts.models import Plan, Subscription, User, UserUsage
from accounts.usage import get_user_subscription


class PlanSerializer(serializers.ModelSerializer[Plan]):
    """A plan and its limits; -1 means unlimited."""

    features = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Plan
        fields = [
            "id", "slug", "name", "price", "currency", "interval", "max_handles", "max_urls",
            "max_analyses_per_day", "max_questions_per_day", "features",
        ]  # fmt: skip


class SubscriptionSerializer(serializers.ModelSerializer[Subscription]):
    """The live subscription of a user."""

    plan = PlanSerializer(read_only=True)
    downgrade_to_plan = PlanSerializer(read_only=True, allow_null=True)

    class Meta:
        model = Subscription
        fields = [
            "id", "plan", "status", "downgrade_to_plan", "current_period_start", "current_period_end",
            "cancel_at_period_end", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class ProfileSerializer(serializers.ModelSerializer[User]):
    """A user as they see themselves."""

    plan = serializers.SerializerMethodField()
    subscription = serializers.SerializerMethodField()
    _subscription: Subscription | None = None
    profile_image = serializers.URLField(max_length=1000, allow_blank=True, required=False)

    class Meta:
        model = User
        fields = [
            "id", "email", "email_verified", "full_name", "company_name", "profile_image", "created_at",
            "plan", "subscription",
        ]  # fmt: skip
        read_only_fields = ["id", "email", "email_verified", "created_at"]

    @extend_schema_field(PlanSerializer)
    def get_plan(self, user: User) -> Any:
        return PlanSerializer(self._live(user).plan).data

    @extend_schema_field(SubscriptionSerializer)
    def get_subscription(self, user: User) -> Any:
        return SubscriptionSerializer(self._live(user)).data

    def _live(self, user: User) -> Subscription:
        # Asked for twice in one answer, looked up once.
        if self._subscription is None:
            self._subscription = get_user_subscription(user)
        return self._subscription


class SignUpSerializer(serializers.Serializer[Any]):
    """A sign-up form."""

    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=128, trim_whitespace=False, style={"input_type": "password"})
    full_name = serializers.CharField(max_length=150, required=False, allow_blank=True, default="")
    company_name = serializers.CharField(max_length=150, required=False, allow_blank=True, default="")

    def form(self) -> NewUser:
        return NewUser(**self.validated_data)


class TokensSerializer(serializers.Serializer[Any]):
    """A pair of tokens."""

    access = serializers.CharField()
    refresh = serializers.CharField()


class SignedInSerializer(serializers.Serializer[Any]):
    """Somebody who came in. With an outside identity provider the tokens come from there."""

    user = ProfileSerializer()
    access = serializers.CharField(required=False)
    refresh = serializers.CharField(required=False)


class SignInSerializer(serializers.Serializer[Any]):
    """E-mail and password, or the identity provider's token."""

    email = serializers.CharField(max_length=254, required=False)
    password = serializers.CharField(max_length=128, trim_whitespace=False, required=False)
    token = serializers.CharField(max_length=8192, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "token" in attrs or {"email", "password"} <= attrs.keys():
            return attrs
        missing = [name for name in ("email", "password") if name not in attrs]
        raise serializers.ValidationError(dict.fromkeys(missing, "This field is required."))


class RefreshSerializer(serializers.Serializer[Any]):
    """The token to renew by."""

    refresh = serializers.CharField(max_length=8192)


class SignOutSerializer(serializers.Serializer[Any]):
    """The session is found by the bearer token; the refresh token may be sent along."""

    refresh = serializers.CharField(max_length=8192, required=False, allow_blank=True)


class EmailSerializer(serializers.Serializer[Any]):
    """An address."""

    email = serializers.EmailField(max_length=254)


class LinkSerializer(serializers.Serializer[Any]):
    """What the link in a mail carried."""

    uid = serializers.CharField(max_length=100)
    token = serializers.CharField(max_length=500)


class NewPasswordSerializer(LinkSerializer):
    """What the link in a mail carried, and the password to set."""

    password = serializers.CharField(max_length=128, trim_whitespace=False)


class UsageRowSerializer(serializers.ModelSerializer[UserUsage]):
    """What was used on one day on one platform."""

    class Meta:
        model = UserUsage
        fields = [
            "id", "day", "platform", "handle_analyses", "url_lookups", "post_suggestions", "questions_asked",
        ]  # fmt: skip


class UsageFilterSerializer(serializers.Serializer[Any]):
    """Which days and platform to list."""

    platform = serializers.RegexField(r"^[a-z]{1,20}$", required=False)

    def get_fields(self) -> dict[str, Any]:
        # `from` is a keyword of Python, so it cannot be written as an attribute.
        days = {"from": serializers.DateField(required=False), "to": serializers.DateField(required=False)}
        return {**days, **super().get_fields()}


class PlatformUsageSerializer(serializers.Serializer[Any]):
    """What was used today on one platform."""

    platform = serializers.CharField()
    handle_analyses = serializers.IntegerField()
    url_lookups = serializers.IntegerField()
    post_suggestions = serializers.IntegerField()
    questions_asked = serializers.IntegerField()


class UsageTodaySerializer(serializers.Serializer[Any]):
    """Today, by platform."""

    day = serializers.DateField()
    platforms = PlatformUsageSerializer(many=True)
    resets_at = serializers.DateTimeField()


class UsageLimitsSerializer(serializers.Serializer[Any]):
    """The plan's limits a day, what is used of them, and what remains, by platform; -1 means unlimited."""

    limits = serializers.DictField(child=serializers.IntegerField())
    used = serializers.DictField(child=serializers.DictField(child=serializers.IntegerField()))
    remaining = serializers.DictField(child=serializers.DictField(child=serializers.IntegerField()))
    resets_at = serializers.DateTimeField()
