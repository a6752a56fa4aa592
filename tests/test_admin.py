"""The desk for accounts: who may do what to whom. That every page opens is tests/test_admin_pages.py."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.demo import new_admin_password, seed_demo
from accounts.identity.local import start_session
from accounts.models import Subscription, User, UserSession
from analytics.models import AuthenticationLog

pytestmark = pytest.mark.django_db
YES = {"confirmed": "yes"}


@pytest.fixture
def clerk():
    """Staff who are not superusers: they see users, and get more from the test."""
    clerk = User.objects.create_user("clerk@example.com", "a long password", is_staff=True)
    return allow(clerk, "view_user")


@pytest.fixture
def counter(clerk):
    client = Client()
    client.force_login(clerk)
    return client


def allow(person, *codenames):
    person.user_permissions.add(*Permission.objects.filter(content_type__app_label="accounts", codename__in=codenames))
    return person


def act(client, action, *rows, form=None, **query):
    ticked = {"action": action, "_selected_action": [str(each.pk) for each in rows]}
    return client.post(page(type(rows[0])), ticked | (form or {}), query_params=query)


def is_signed_in(person):
    return UserSession.objects.filter(user=person, revoked_at=None).exists()


def page(model, name="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def test_it_is_closed_to_users(user):
    client = Client()
    client.force_login(user)
    answer = client.get("/admin/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/admin/")


def test_staff_sign_in_with_their_address(staff):
    answer = Client().post("/admin/login/", {"username": "STAFF@example.com", "password": "a long password"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


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


@pytest.mark.parametrize("action", ["end_sessions", "deactivate", "erase"])
def test_whoever_may_only_look_has_no_action(counter, user, action):
    start_session(user)
    act(counter, action, user, form=YES)
    assert is_signed_in(user)
    assert User.objects.get(pk=user.pk).is_active


@pytest.mark.parametrize("action", ["end_sessions", "deactivate", "erase"])
def test_an_action_of_other_staff_leaves_a_superuser_alone(counter, clerk, staff, action):
    allow(clerk, "change_user")
    start_session(staff)
    act(counter, action, staff, form=YES)
    assert is_signed_in(staff)
    assert User.objects.get(pk=staff.pk).is_active


def test_an_action_of_other_staff_works_on_everybody_else(counter, clerk, staff, user):
    allow(clerk, "change_user")
    start_session(user)
    act(counter, "deactivate", staff, user)
    assert not is_signed_in(user)
    assert not User.objects.get(pk=user.pk).is_active


def test_staff_cannot_make_themselves_superusers(counter, clerk):
    allow(clerk, "change_user")
    permission = Permission.objects.get(codename="delete_plan").pk
    form = {"full_name": "Changed", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    answer = counter.post(page(User, "change", clerk.pk), {**form, "user_permissions": [permission]})
    after = User.objects.get(pk=clerk.pk)
    assert (answer.status_code, after.full_name, after.is_staff, after.is_superuser) == (302, "Changed", True, False)
    assert not after.has_perm("accounts.delete_plan")
    assert after.has_perm("accounts.change_user")


def test_a_superuser_may_give_powers(desk, user):
    answer = desk.post(page(User, "change", user.pk), {"is_active": "on", "is_staff": "on"})
    assert (answer.status_code, User.objects.get(pk=user.pk).is_staff) == (302, True)


def test_other_staff_see_a_superuser_and_change_nothing(counter, clerk, staff):
    allow(clerk, "change_user")
    change, password = page(User, "change", staff.pk), f"/admin/accounts/user/{staff.pk}/password/"
    seen = counter.get(change)
    assert seen.status_code == 200
    assert staff.password not in seen.content.decode()
    assert counter.post(change, {"full_name": "Changed"}).status_code == 403
    assert counter.get(password).status_code == 403
    assert counter.post(password, new_password()).status_code == 403
    assert User.objects.get(pk=staff.pk).check_password("a long password")


def new_password():
    return {"password1": "another long password", "password2": "another long password", "usable_password": "true"}


def test_a_password_changed_by_staff_ends_every_session(desk, user):
    start_session(user)
    answer = desk.post(f"/admin/accounts/user/{user.pk}/password/", new_password())
    assert answer.status_code == 302
    assert User.objects.get(pk=user.pk).check_password("another long password")
    assert UserSession.objects.get(user=user).revoked_why == "password_changed_by_staff"


def test_a_new_password_of_the_demo_admin_ends_every_session():
    admin_user = User.objects.get(email=seed_demo().admin_email)
    start_session(admin_user)
    new_admin_password()
    assert not is_signed_in(admin_user)


def test_deactivation_in_a_list_of_the_active_ends_every_session(desk, user):
    start_session(user)
    act(desk, "deactivate", user, is_active__exact="1")
    assert not User.objects.get(pk=user.pk).is_active
    assert not is_signed_in(user)


def sign_in(email="staff@example.com", *, right=True, **extra):
    password = "a long password" if right else "wrong"
    return Client().post("/admin/login/", {"username": email, "password": password}, **extra)


def test_guesses_at_an_account_run_out(staff, settings):
    settings.THROTTLES = {**settings.THROTTLES, "login-account": (2, 900)}
    for number in range(2):
        assert sign_in(right=False, REMOTE_ADDR=f"127.0.0.{number + 1}").status_code == 200
    answer = sign_in(email="STAFF@example.com", REMOTE_ADDR="127.0.0.9")
    assert answer.status_code == 200
    assert b"Too many requests. Please wait " in answer.content


def test_guesses_from_an_address_run_out(staff, settings):
    settings.THROTTLES = {**settings.THROTTLES, "login-address": (2, 900)}
    for number in range(2):
        sign_in(email=f"nobody{number}@example.com")
    assert sign_in().status_code == 200
    assert sign_in(REMOTE_ADDR="127.0.0.9").status_code == 302


def test_a_sign_in_to_the_admin_is_recorded(staff, user, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        sign_in()
        sign_in(right=False)
        sign_in(email="user@example.com")
        sign_in(email="nobody@example.com")
    found = AuthenticationLog.objects.filter(event="admin_login").values_list("user__email", "success", "reason")
    assert sorted(found, key=str) == [
        ("staff@example.com", False, "invalid_login"),
        ("staff@example.com", True, ""),
        ("user@example.com", False, "invalid_login"),
        (None, False, "invalid_login"),
    ]


def test_a_user_is_erased_and_never_deleted(desk, user):
    assert desk.post(page(User, "delete", user.pk), {"post": "yes"}).status_code == 403
    assert b"delete_selected" not in desk.get(page(User)).content
    start_session(user)
    act(desk, "erase", user, form=YES)
    after = User.objects.get(pk=user.pk)
    assert (after.is_active, after.erasure_asked_at is not None, is_signed_in(user)) == (False, True, False)


def test_only_a_superuser_may_erase(counter, clerk, user):
    allow(clerk, "change_user", "delete_user")
    act(counter, "erase", user, form=YES)
    assert User.objects.get(pk=user.pk).erasure_asked_at is None
    assert b"Erase for ever" not in counter.get(page(User)).content
