"""The admin's pages: each of them, found by itself, opens, searches and stays closed to others."""

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.identity.local import start_session
from accounts.models import Subscription, User, UserSession

pytestmark = pytest.mark.django_db
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def staff():
    return User.objects.create_superuser("staff@example.com", "a long password")


@pytest.fixture
def desk(staff):
    client = Client()
    client.force_login(staff)
    return client


def page(model, name="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_list_opens_and_searches(desk, model, user):
    assert desk.get(page(model)).status_code == 200
    if admin.site._registry[model].search_fields:
        assert desk.get(page(model), {"q": "user@"}).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_row_opens(desk, model, user):
    start_session(user)
    row = model._default_manager.first()
    if row is not None:
        assert desk.get(page(model, "change", row.pk)).status_code == 200


def test_it_is_closed_to_users(user):
    client = Client()
    client.force_login(user)
    answer = client.get("/admin/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/admin/")


def test_staff_sign_in_with_their_address(staff):
    answer = Client().post("/admin/login/", {"username": "STAFF@example.com", "password": "a long password"})
    assert answer.status_code == 302


def test_a_user_made_by_hand_has_a_plan_and_an_address_in_lower_case(desk):
    form = {
        "email": "New@Example.com",
        "full_name": "New",
        "password1": "a long password",
        "password2": "a long password",
    }
    answer = desk.post(page(User, "add"), form)
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    assert Subscription.objects.get(user__email="new@example.com").plan.slug == "free"


def test_a_taken_address_is_an_error_on_the_form(desk, user):
    form = {"email": "USER@example.com", "password1": "a long password", "password2": "a long password"}
    answer = desk.post(page(User, "add"), form)
    assert answer.status_code == 200
    assert b"This address has an account." in answer.content


@pytest.mark.parametrize(("action", "active"), [("end_sessions", True), ("deactivate", False)])
def test_an_action_ends_every_session(desk, user, action, active):
    start_session(user)
    desk.post(page(User), {"action": action, "_selected_action": [str(user.pk)]})
    assert not UserSession.objects.filter(user=user, revoked_at=None).exists()
    assert User.objects.get(pk=user.pk).is_active is active


def test_markup_in_a_name_is_shown_as_text(desk, user):
    User.objects.filter(pk=user.pk).update(full_name="<script>alert(1)</script>")
    assert b"<script>alert(1)" not in desk.get(page(User)).content


def test_history_cannot_be_edited(desk, user):
    start_session(user)
    session = UserSession.objects.get(user=user)
    assert desk.post(page(UserSession, "change", session.pk), {"key": "x"}).status_code == 403
    assert desk.get(page(UserSession, "add")).status_code == 403
