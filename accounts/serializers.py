"""The shapes of the accounts' answers and questions."""

import re
from pathlib import Path
from typing import Any, TypeVar

import orjson
from django.core.validators import RegexValidator
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from accounts.export import PROFILE
from accounts.identity import NewUser
from accounts.models import Plan, Subscription, User, UserUsage
from core.api import Text

# What may follow the host, by https://www.rfc-editor.org/rfc/rfc3986 without the fragment.
WEB_ADDRESS = r"^(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?([/?]([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?)?\Z"
Shape = TypeVar("Shape", bound=serializers.BaseSerializer[Any])
EXAMPLES = orjson.loads(Path(__file__).with_name("examples.json").read_bytes())


def shown(shape: type[Shape]) -> type[Shape]:
    """Let the API's description show a shape by its examples."""
    examples = EXAMPLES[shape.__name__.removesuffix("Serializer")]
    shows = [OpenApiExample(title, value=value) for title, value in examples.items()]
    return extend_schema_serializer(examples=shows)(shape)


# Answers


@shown
class PlanSerializer(serializers.ModelSerializer[Plan]):
    """A plan and its limits; -1 means unlimited."""

    features = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Plan
        fields = [
            "id", "slug", "name", "price", "currency", "interval", "max_handles", "max_urls",
            "max_analyses_per_day", "max_questions_per_day", "features",
        ]  # fmt: skip
        read_only_fields = fields


@shown
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


@extend_schema_field({"type": "string", "anyOf": [{"format": "uri"}, {"const": ""}]})
class WebAddress(serializers.CharField):
    """An address of the web, or nothing."""


@shown
class ProfileSerializer(serializers.ModelSerializer[User]):
    """A user as they see themselves."""

    profile_image = WebAddress(read_only=True, help_text="Empty where there is none.")
    plan = PlanSerializer(read_only=True)
    subscription = SubscriptionSerializer(read_only=True)

    class Meta:
        model = User
        fields = [
            "id", "email", "email_verified", "full_name", "company_name", "profile_image", "created_at",
            "plan", "subscription",
        ]  # fmt: skip
        read_only_fields = fields


@shown
class TokensSerializer(serializers.Serializer[Any]):
    """A pair of tokens."""

    access = serializers.CharField(help_text="Good for 15 minutes.")
    refresh = serializers.CharField(help_text="Good for 14 days, and once.")


@shown
class SignedInSerializer(serializers.Serializer[Any]):
    """Somebody who came in. With an outside identity provider the tokens come from there."""

    user = ProfileSerializer()
    access = serializers.CharField(required=False)
    refresh = serializers.CharField(required=False)


class ExportedProfileSerializer(serializers.ModelSerializer[User]):
    """The user's own row."""

    profile_image = WebAddress(read_only=True)
    exported_at = serializers.DateTimeField()

    class Meta:
        model = User
        fields = [*PROFILE, "exported_at"]
        read_only_fields = fields


@shown
class ExportSerializer(serializers.Serializer[Any]):
    """Everything held about a user, part by part; each part but the profile is a list of rows."""

    profile = ExportedProfileSerializer()
    subscriptions = serializers.ListField(child=serializers.DictField())
    usage = serializers.ListField(child=serializers.DictField())
    usage_entries = serializers.ListField(child=serializers.DictField())
    sessions = serializers.ListField(child=serializers.DictField())
    mails = serializers.ListField(child=serializers.DictField())


@shown
class UsageRowSerializer(serializers.ModelSerializer[UserUsage]):
    """What was used on one day on one platform."""

    class Meta:
        model = UserUsage
        fields = [
            "id", "day", "platform", "handle_analyses", "url_lookups", "post_suggestions", "questions_asked",
        ]  # fmt: skip
        read_only_fields = fields


class CountsSerializer(serializers.Serializer[Any]):
    """A number for each kind of use; -1 means unlimited."""

    handle_analyses = serializers.IntegerField(min_value=-1)
    url_lookups = serializers.IntegerField(min_value=-1)
    post_suggestions = serializers.IntegerField(min_value=-1)
    questions_asked = serializers.IntegerField(min_value=-1)


class PlatformUsageSerializer(CountsSerializer):
    """What was used today on one platform."""

    platform = serializers.CharField()


@shown
class UsageTodaySerializer(serializers.Serializer[Any]):
    """Today, by platform."""

    day = serializers.DateField()
    platforms = PlatformUsageSerializer(many=True)
    resets_at = serializers.DateTimeField()


@shown
class UsageLimitsSerializer(serializers.Serializer[Any]):
    """The plan's limits a day, what is used of them, and what remains, by platform."""

    limits = CountsSerializer()
    used = serializers.DictField(child=CountsSerializer())
    remaining = serializers.DictField(child=CountsSerializer())
    resets_at = serializers.DateTimeField()


# Questions


@shown
class SignUpSerializer(serializers.Serializer[Any]):
    """A sign-up form."""

    email = serializers.EmailField(max_length=254)
    password = Text(max_length=128, trim_whitespace=False, help_text="Ten characters or more, and hard to guess.")
    full_name = Text(max_length=150, allow_blank=True, default="")
    company_name = Text(max_length=150, allow_blank=True, default="")

    def form(self) -> NewUser:
        return NewUser(**self.validated_data)


@shown
class SignInSerializer(serializers.Serializer[Any]):
    """E-mail and password, or the identity provider's token."""

    either = (("email", "password"), ("token",))

    email = Text(max_length=254, trim_whitespace=False, required=False)
    password = Text(max_length=128, trim_whitespace=False, required=False)
    token = Text(max_length=8192, trim_whitespace=False, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not any(attrs.keys() >= set(names) for names in self.either):
            missing = [name for name in self.either[0] if name not in attrs]
            raise serializers.ValidationError(dict.fromkeys(missing, "This field is required."))
        # An account of our own has neither of them empty, so whoever sends a token alone is refused like anybody else.
        return {"email": "", "password": "", **attrs}


@shown
class RefreshSerializer(serializers.Serializer[Any]):
    """The token to renew by."""

    refresh = Text(max_length=1024, trim_whitespace=False)


@shown
class SignOutSerializer(serializers.Serializer[Any]):
    """The session is found by the bearer token; the refresh token may be sent along."""

    refresh = Text(max_length=1024, trim_whitespace=False, required=False, allow_blank=True)


@shown
class EmailSerializer(serializers.Serializer[Any]):
    """An address."""

    email = serializers.EmailField(max_length=254)


@shown
class LinkSerializer(serializers.Serializer[Any]):
    """What the link in a mail carried."""

    uid = Text(max_length=100, trim_whitespace=False)
    token = Text(max_length=500, trim_whitespace=False)


@shown
class NewPasswordSerializer(LinkSerializer):
    """What the link in a mail carried, and the password to set."""

    password = Text(max_length=128, trim_whitespace=False, help_text="Ten characters or more, and hard to guess.")


@shown
class ProfileChangeSerializer(serializers.ModelSerializer[User]):
    """What users can change of themselves."""

    full_name = Text(max_length=150, allow_blank=True, required=False)
    company_name = Text(max_length=150, allow_blank=True, required=False)
    profile_image = Text(
        max_length=1000,
        allow_blank=True,
        required=False,
        trim_whitespace=False,
        validators=[RegexValidator(WEB_ADDRESS, "Enter a web address: http or https, in ASCII.")],
    )

    class Meta:
        model = User
        fields = ["full_name", "company_name", "profile_image"]

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        # Only what was asked for: the row was read before, and a password or a block set since must stand.
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save(update_fields=[*validated_data, "updated_at"])
        return instance


class Day(serializers.DateField):
    """A date as it is always written: Python would take weeks and dates without hyphens for one too."""

    def to_internal_value(self, data: Any) -> Any:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(data)):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(data)


class UsageFilterSerializer(serializers.Serializer[Any]):
    """Which days and platform to list."""

    platform = Text(trim_whitespace=False, required=False, validators=[RegexValidator(r"^[a-z]{1,20}\Z")])

    def get_fields(self) -> dict[str, Any]:
        # `from` is a keyword of Python, so it cannot be written as an attribute.
        days = {
            "from": Day(required=False, help_text="The first day."),
            "to": Day(required=False, help_text="The last day."),
        }
        return {**days, **super().get_fields()}


@shown
class ClerkEventSerializer(serializers.Serializer[Any]):
    """An event, as Clerk describes it."""

    type = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        # `data` is what a serializer holds, so it cannot be written as an attribute.
        return {**super().get_fields(), "data": serializers.DictField()}
