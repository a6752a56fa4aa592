"""The accounts over HTTP: each view reads the request, calls one verb and shapes the answer."""

from collections.abc import Collection
from typing import Any, cast

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import serializers as shapes
from accounts import services
from accounts.authentication import bearer_of
from accounts.bodies import profile_body, subscription_body
from accounts.export import export
from accounts.identity import SignedIn
from accounts.identity.clerk import apply_clerk_event
from accounts.models import Plan, User, UserUsage
from accounts.usage import get_user_subscription, limits_of, usage_today
from core import errors
from core.api import ValuesListView, bounded_body, checked
from core.statements import Parameter
from core.webhooks import ForgedWebhook

DISPOSITION = OpenApiParameter(
    "Content-Disposition", {"type": "string"}, OpenApiParameter.HEADER, required=True, response=True
)
SVIX_HEADERS = [
    OpenApiParameter(f"svix-{name}", {"type": "string", "pattern": pattern}, OpenApiParameter.HEADER, required=True)
    for name, pattern in {
        "id": "^[!-\\-/-~]{1,255}$", "timestamp": "^[0-9]{1,12}$", "signature": "^v1,[A-Za-z0-9+/]{43}=$",
    }.items()
]  # fmt: skip


class OpenView(APIView):
    """For people who are not signed in yet."""

    permission_classes = [AllowAny]
    authentication_classes = []


class SignUp(OpenView):
    """Make an account. Every account starts on the Free plan."""

    @extend_schema(request=shapes.SignUpSerializer, responses={201: shapes.SignedInSerializer, 409: errors.Conflict})
    def post(self, request: Request) -> Response:
        form = checked(shapes.SignUpSerializer, request.data)
        return Response(_signed_in(services.sign_up(request._request, form.form())), status=201)


class SignIn(OpenView):
    """Come in with e-mail and password, or with the identity provider's token."""

    @extend_schema(
        request=shapes.SignInSerializer,
        responses={200: shapes.SignedInSerializer, 401: errors.Unauthenticated, 409: errors.Conflict},
    )
    def post(self, request: Request) -> Response:
        form = checked(shapes.SignInSerializer, request.data)
        return Response(_signed_in(services.sign_in(request._request, form.validated_data)))


class RenewTokens(OpenView):
    """Trade a refresh token for a new pair. A token used twice ends the session it belongs to."""

    @extend_schema(
        request=shapes.RefreshSerializer,
        responses={200: shapes.TokensSerializer, 401: errors.Unauthenticated, 409: errors.HandledElsewhere},
    )
    def post(self, request: Request) -> Response:
        form = checked(shapes.RefreshSerializer, request.data)
        tokens = services.renew_tokens(request._request, form.validated_data["refresh"])
        return Response({"access": tokens.access, "refresh": tokens.refresh})


class SignOut(OpenView):
    """End the session: none of its tokens is good any more. Either of them will do."""

    @extend_schema(
        auth=[{"bearer": []}, {}],  # type: ignore[list-item]
        request=shapes.SignOutSerializer,
        responses={204: None, 401: errors.Unauthenticated, 409: errors.Conflict},
    )
    def post(self, request: Request) -> Response:
        form = checked(shapes.SignOutSerializer, request.data)
        services.sign_out(request._request, bearer_of(request), form.validated_data.get("refresh", ""))
        return Response(status=204)


class AskPasswordReset(OpenView):
    """Have a link sent to set a new password. The answer is the same whether or not there is such an account."""

    @extend_schema(request=shapes.EmailSerializer, responses={202: None, 409: errors.HandledElsewhere})
    def post(self, request: Request) -> Response:
        form = checked(shapes.EmailSerializer, request.data)
        services.ask_password_reset(request._request, form.validated_data["email"])
        return Response(status=202)


class ResetPassword(OpenView):
    """Set a new password with what the link carried. Every session of the user ends."""

    @extend_schema(request=shapes.NewPasswordSerializer, responses={204: None, 409: errors.HandledElsewhere})
    def post(self, request: Request) -> Response:
        form = checked(shapes.NewPasswordSerializer, request.data)
        services.reset_password(request._request, **form.validated_data)
        return Response(status=204)


class VerifyEmail(OpenView):
    """Prove an address with what the link carried."""

    @extend_schema(request=shapes.LinkSerializer, responses={204: None, 409: errors.HandledElsewhere})
    def post(self, request: Request) -> Response:
        form = checked(shapes.LinkSerializer, request.data)
        services.verify_email(request._request, **form.validated_data)
        return Response(status=204)


class AskVerification(APIView):
    """Have the link that proves the address sent again."""

    @extend_schema(request=None, responses={202: None, 409: errors.HandledElsewhere})
    def post(self, request: Request) -> Response:
        services.ask_verification(request._request, user_of(request))
        return Response(status=202)


class Me(APIView):
    """One's own profile."""

    @extend_schema(responses=shapes.ProfileSerializer)
    def get(self, request: Request) -> Response:
        return Response(profile_body(user_of(request)))

    @extend_schema(request=shapes.ProfileChangeSerializer, responses=shapes.ProfileSerializer)
    def patch(self, request: Request) -> Response:
        """Change one's own profile."""
        form = checked(shapes.ProfileChangeSerializer, request.data, instance=user_of(request), partial=True)
        return Response(profile_body(form.save()))

    @extend_schema(responses={202: None})
    def delete(self, request: Request) -> Response:
        """Erase the account. Nothing can bring it back: export first. A paid plan is cancelled at once with it."""
        services.ask_erasure(user_of(request))
        return Response(status=202)


class Export(APIView):
    """Everything held about oneself, as one document."""

    @extend_schema(parameters=[DISPOSITION], responses=shapes.ExportSerializer)
    def get(self, request: Request) -> Response:
        return Response(export(user_of(request)), headers={"Content-Disposition": "attachment; filename=whyral.json"})


class CurrentSubscription(APIView):
    """One's live subscription."""

    @extend_schema(responses=shapes.SubscriptionSerializer)
    def get(self, request: Request) -> Response:
        return Response(subscription_body(get_user_subscription(user_of(request))))


class Plans(ValuesListView):
    """The plans there are, cheapest first."""

    permission_classes = [AllowAny]
    authentication_classes = []
    serializer_class = shapes.PlanSerializer
    order = ("price", "id")
    descending = False

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[Plan]:
        return Plan.objects.filter(is_public=True)


class UsageToday(APIView):
    """What was used today, by platform."""

    @extend_schema(responses=shapes.UsageTodaySerializer)
    def get(self, request: Request) -> Response:
        return Response(usage_today(user_of(request)))


class UsageLimits(APIView):
    """What the plan allows today and what is left of it."""

    @extend_schema(responses=shapes.UsageLimitsSerializer)
    def get(self, request: Request) -> Response:
        return Response(limits_of(user_of(request)))


class UsageHistory(ValuesListView):
    """What was used day by day, newest first."""

    serializer_class = shapes.UsageRowSerializer
    order = ("day", "id")

    @extend_schema(parameters=[shapes.UsageFilterSerializer])
    def get(self, request: Request) -> Response:
        return super().get(request)

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[UserUsage]:
        columns = {"from": "day__gte", "to": "day__lte"}
        return UserUsage.objects.filter(**{columns.get(name, name): Parameter(name) for name in given})

    def given(self) -> dict[str, Any]:
        wanted = checked(shapes.UsageFilterSerializer, self.request.query_params.dict()).validated_data
        return {"user": user_of(self.request).pk, **wanted}


class ClerkWebhook(OpenView):
    """Events from Clerk, signed by Svix."""

    throttle_classes = []

    @extend_schema(
        parameters=SVIX_HEADERS,
        request=shapes.ClerkEventSerializer,
        responses={200: None, 401: ForgedWebhook},
    )
    def post(self, request: Request) -> Response:
        if settings.IDENTITY_PROVIDER != "clerk":
            raise ForgedWebhook("Clerk is not in use here, so nothing is signed by it.")
        apply_clerk_event(bounded_body(request), request.headers)
        return Response(status=200)


def user_of(request: Request) -> User:
    return cast(User, request.user)


def _signed_in(signed_in: SignedIn) -> dict[str, Any]:
    tokens = signed_in.tokens
    pair = {"access": tokens.access, "refresh": tokens.refresh} if tokens else {}
    return {"user": profile_body(signed_in.user), **pair}
