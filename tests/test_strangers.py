"""What one user can reach of another: every route, found by itself, tried with somebody else's ids."""

import itertools
import uuid
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.identity.local import start_session
from accounts.models import IdempotentAnswer, OutgoingMail, Plan, Subscription, User, UserSession, UserUsage
from analysis.chat.models import ChatMessage, ChatSession
from analysis.history import tell
from analysis.models import AnalysisStatusHistory, ModelAnswer, PostAnalysis, PostAnalysisRequest, StageRun
from analysis.notes.models import AnalysisNote
from analysis.tests.fakes import make_request
from analytics.models import AuthenticationLog
from billing.models import Checkout, Customer, Invoice, Payment, PaymentMethod, Refund, Wish
from feedback.models import Feedback
from social.models import Post

METHODS = ("get", "post", "put", "patch", "delete")
CANARY = "canary-7f3a"
# A count of hers that no id holds by chance.
MANY = 1_987_654_321
# What answers anybody: each is open on purpose.
OPEN = {
    "api/schema/", "api/docs/", "api/accounts/signup/", "api/accounts/login/", "api/accounts/token/refresh/",
    "api/accounts/reset-password/", "api/accounts/reset-password/confirm/", "api/accounts/verify-email/",
    "api/accounts/plans/", "api/accounts/webhook/clerk/", "api/social/platforms/",
    # Closed to whoever does not know the secret in its address.
    "api/social/webhook/brightdata/<str:token>/",
    # Closed to whoever cannot sign; and where a browser lands after a checkout, which tells nobody anything.
    "api/billing/webhook/dodo/", "api/billing/webhook/stripe/",
    "api/billing/subscription/success/", "api/billing/subscription/cancel/",
}  # fmt: skip


def routes(patterns=None, prefix=""):
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and route.startswith("api/"):
            yield route, pattern


def address(route, ids):
    """The route with its parameters filled from `ids` in turn."""
    parts = route.split("<")
    return "/" + parts[0] + "".join(next(ids) + part.partition(">")[2] for part in parts[1:])


@pytest.fixture
def ana(db):
    user = User.objects.create_user("canary@example.com", "a long password", full_name=CANARY)
    start_session(user)
    UserUsage.objects.create(user=user, day="2026-11-01", platform="x", url_lookups=MANY)
    AuthenticationLog.objects.create(user=user, event="login", success=True, reason=CANARY)
    OutgoingMail.objects.create(user=user, template="verify_email")
    Feedback.objects.create(user=user, kind="bug", message=CANARY)
    IdempotentAnswer.objects.create(user=user, key=CANARY, fingerprint="f", status=200, body=CANARY)
    leave_an_analysis(user)
    leave_payments(user)
    return user


def leave_payments(user):
    known = {"user": user, "provider": "stripe"}
    money = {"amount": MANY, "currency": "USD"}
    Customer.objects.create(**known, customer_id=CANARY)
    bought = Subscription.objects.create(user=user, plan=Plan.objects.get(slug="pro"), status="PENDING")
    Checkout.objects.create(subscription=bought, provider_id=CANARY, url=CANARY, expires_at=timezone.now())
    Wish.objects.create(subscription=bought, plan=bought.plan)
    PaymentMethod.objects.create(**known, provider_id=CANARY, brand=CANARY)
    payment = Payment.objects.create(**known, **money, provider_id=CANARY, reason="new", seen_at=timezone.now())
    Invoice.objects.create(
        user=user, **money, payment=payment, provider_id=CANARY, number=CANARY, issued_at=timezone.now()
    )
    Refund.objects.create(**known, **money, payment=payment, provider_id=CANARY, seen_at=timezone.now())


def leave_an_analysis(user):
    """One that has failed and could be tried again, with all that hangs on it."""
    request, [post] = make_request(user, stage="collect")
    PostAnalysisRequest.objects.filter(pk=request.pk).update(
        display_name=CANARY, post_urls=[f"https://x.com/i/status/{CANARY}"], status="FAILED", open_posts=0
    )
    stored = Post.objects.create(
        platform_id="x", platform_post_id="1000", url=post.url, text=CANARY, seen_at=timezone.now()
    )
    claim = {"text": CANARY, "evidence": [], "supported": True}
    PostAnalysis.objects.filter(pk=post.pk).update(
        status="FAILED", post=stored, error_message=CANARY, viral_formula=claim
    )
    StageRun.objects.create(post_analysis=post, stage="collect", fence=1, started_at=timezone.now(), note=CANARY)
    ModelAnswer.objects.create(post_analysis=post, fence=1, provider="rules", prompt_version="1", prompt=CANARY)
    tell(request, post.pk, "error", CANARY)
    session = ChatSession.objects.create(user=user, post_analysis=post)
    ChatMessage.objects.create(session=session, content=CANARY)
    AnalysisNote.objects.create(user=user, post_analysis=post, title=CANARY, content=CANARY, updated_at=timezone.now())


@pytest.fixture
def ben(db):
    return User.objects.create_user("ben@example.com", "another password")


@pytest.fixture
def as_ben(ben):
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {start_session(ben).access}")
    return client


# Whose rows they are, by the way that leads to their owner; those that an id of an address may name come first.
NAMED: dict[Any, str] = {
    UserSession: "user", AuthenticationLog: "user", OutgoingMail: "user", IdempotentAnswer: "user", Feedback: "user",
    PostAnalysisRequest: "user", PostAnalysis: "request__user", ModelAnswer: "post_analysis__request__user",
    ChatSession: "user", ChatMessage: "session__user", AnalysisNote: "user", Invoice: "user", Payment: "user",
    PaymentMethod: "user", Refund: "user",
}  # fmt: skip
OWNED: dict[Any, str] = {
    **NAMED, UserUsage: "user", StageRun: "post_analysis__request__user", AnalysisStatusHistory: "request__user",
    Customer: "user", Checkout: "subscription__user", Subscription: "user",
    Wish: "subscription__user",
}  # fmt: skip


def state_of(user):
    rows = {
        model.__name__: list(model.objects.filter(**{way: user}).order_by("pk").values())
        for model, way in OWNED.items()
    }
    assert all(rows.values())
    return {"user": User.objects.filter(pk=user.pk).values().get(), **rows}


def ids_of(user):
    found = [str(row.pk) for model, way in NAMED.items() for row in model.objects.filter(**{way: user})]
    return [str(user.pk), *found, str(uuid.uuid4())]


ROUTES = [route for route, _ in routes() if not route.startswith("api/(") and "^api/" not in route]


def test_the_sweep_finds_the_routes():
    assert {"api/accounts/me/", "api/analysis/requests/<uuid:request_id>/events/"} <= {*ROUTES}
    assert len(ROUTES) >= 45


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", METHODS)
def test_another_user_sees_and_changes_nothing(route, method, ana, as_ben, settings):
    settings.THROTTLES = dict.fromkeys(settings.THROTTLES, (10_000, 60))
    before = state_of(ana)
    theirs = {"post_analysis_id": str(PostAnalysis.objects.get().pk), "content": "x", "title": "x"}
    for each in ids_of(ana) if "<" in route else [str(ana.pk)]:
        url = address(route, itertools.repeat(each))
        body = {"user": str(ana.pk), "user_id": str(ana.pk), "id": each, "refresh": "x", **theirs}
        query = f"?user={ana.pk}&user_id={ana.pk}&id={each}"
        answer = getattr(as_ben, method)(url + query, body if method != "get" else None, format="json")
        assert answer.status_code < 500 or answer.json()["code"] == "not_configured"
        assert CANARY.encode() not in answer.content
        assert str(MANY).encode() not in answer.content
        assert b"canary@example.com" not in answer.content
        if "<" in route:
            assert answer.status_code in {404, 405}
    assert state_of(ana) == before


@pytest.mark.parametrize("route", sorted(set(ROUTES) - OPEN))
@pytest.mark.parametrize("method", METHODS)
def test_a_stranger_is_sent_away(route, method, db):
    answer = getattr(APIClient(), method)(address(route, itertools.repeat(str(uuid.uuid4()))), {}, format="json")
    assert answer.status_code in {401, 405}
    assert answer.json()["code"] in {"unauthenticated", "method_not_allowed"}
