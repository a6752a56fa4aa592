"""One's own profile, what is held about oneself, and being forgotten."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry

from accounts.models import Subscription, User, UserSession, UserUsage
from accounts.serializers import ProfileChangeSerializer
from accounts.services import ask_erasure, erase, waiting_erasures
from analytics.models import AuthenticationLog

ME = "/api/accounts/me/"


def test_a_profile_shows_the_plan_and_the_subscription(user, api):
    answer = api.get(ME).json()
    assert set(answer) == {
        "id", "email", "email_verified", "full_name", "company_name", "profile_image", "created_at",
        "plan", "subscription",
    }  # fmt: skip
    assert answer["plan"]["max_analyses_per_day"] == 5
    assert answer["subscription"]["status"] == "ACTIVE"
    assert answer["created_at"].endswith("Z")


def test_a_profile_can_be_changed_where_it_is_ones_own(user, api):
    body = {"full_name": "Ana Ríos", "company_name": "Ríos & Co", "profile_image": "https://example.com/a.png"}
    answer = api.patch(ME, {**body, "email": "other@example.com", "is_staff": True, "id": "x"}, format="json")
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in body} == body
    changed = User.objects.get()
    assert (changed.email, changed.is_staff, changed.pk) == ("user@example.com", False, user.pk)


@pytest.mark.parametrize(
    "body", [{"profile_image": "javascript:alert(1)"}, {"full_name": "x" * 151}, {"full_name": None}, []]
)
def test_a_wrong_change_is_refused(api, body):
    assert api.patch(ME, body, format="json").status_code == 400


def test_markup_in_a_name_comes_back_as_text(api):
    name = "<script>alert('é 🎬')</script>"
    assert api.patch(ME, {"full_name": name}, format="json").json()["full_name"] == name


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_an_export_holds_every_part_and_nothing_secret(user, api, stranger):
    stranger.post("/api/accounts/login/", {"email": user.email, "password": "a long password"}, format="json")
    UserUsage.objects.create(user=user, day="2026-11-01", platform="x", url_lookups=3)
    answer = api.get("/api/accounts/me/export/")
    document = answer.json()
    assert document["profile"]["email"] == user.email
    assert [row["url_lookups"] for row in document["usage"]] == [3]
    assert [row["event"] for row in document["sign_ins"]] == ["login"]
    assert len(document["sessions"]) == 2
    assert user.password.encode() not in answer.content


def test_an_erased_account_is_out_at_once_and_gone_soon(user, api, stranger):
    assert api.delete(ME).status_code == 202
    assert api.get(ME).status_code == 401
    body = {"email": user.email, "password": "a long password"}
    assert stranger.post("/api/accounts/login/", body, format="json").status_code == 401
    for user_id in waiting_erasures():
        erase(user_id)
        erase(user_id)
    for model in (User, Subscription, UserSession, AuthenticationLog):
        assert not model.objects.exists()


def test_only_who_asked_is_erased(user):
    erase(str(user.pk))
    assert User.objects.filter(pk=user.pk).exists()


def test_plans_are_public_and_cheapest_first(db, stranger):
    answer = stranger.get("/api/accounts/plans/").json()
    assert [(plan["slug"], plan["price"], plan["max_urls"]) for plan in answer["results"]] == [
        ("free", 0, 3),
        ("pro", 2900, 10),
        ("agency", 9900, 25),
    ]


def test_a_change_of_the_profile_undoes_nothing_that_happened_meanwhile(user, api, settings):
    """The row is read when the token is checked; a block or a new password may come before it is written."""
    request_user = User.objects.get(pk=user.pk)
    User.objects.filter(pk=user.pk).update(is_active=False, password="new")
    form = ProfileChangeSerializer(request_user, data={"full_name": "Ana"}, partial=True)
    assert form.is_valid()
    form.save()
    now = User.objects.get(pk=user.pk)
    assert (now.full_name, now.is_active, now.password) == ("Ana", False, "new")


def test_nothing_of_an_erased_user_stays_in_the_history_of_the_admin(user):
    staff = User.objects.create_superuser("staff@example.com", "a long password")
    LogEntry.objects.log_actions(staff.pk, [user], CHANGE, "changed", single_object=True)
    ask_erasure(user)
    erase(str(user.pk))
    assert not LogEntry.objects.exists()
