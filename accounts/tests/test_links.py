"""Proving an address and setting a new password, by links in mails."""

import re

import pytest

from accounts.identity.local import start_session
from accounts.mail import send_owed_mail, waiting_mail
from accounts.models import OutgoingMail, User

NEW = "a brand new password"


def post(client, path, **body):
    return client.post(f"/api/accounts/{path}/", body, format="json")


def link_in(text):
    found = re.search(r"uid=(\S+?)&token=(\S+)", text)
    assert found
    return {"uid": found[1], "token": found[2]}


@pytest.fixture
def mailed(mailoutbox):
    def deliver():
        for mail_id in waiting_mail():
            send_owed_mail(mail_id)
        return mailoutbox

    return deliver


@pytest.fixture
def reset_link(user, stranger, mailed):
    assert post(stranger, "reset-password", email="USER@example.com").status_code == 202
    return link_in(mailed()[-1].body)


def test_a_reset_link_sets_a_new_password_once(user, stranger, reset_link):
    assert post(stranger, "reset-password/confirm", **reset_link, password=NEW).status_code == 204
    assert post(stranger, "login", email=user.email, password=NEW).status_code == 200
    again = post(stranger, "reset-password/confirm", **reset_link, password="yet another password")
    assert again.status_code == 400
    assert list(again.json()["details"]) == ["token"]


def test_a_new_password_ends_every_session_and_proves_the_address(user, api, stranger, reset_link):
    post(stranger, "reset-password/confirm", **reset_link, password=NEW)
    assert api.get("/api/accounts/me/").status_code == 401
    assert User.objects.get(pk=user.pk).email_verified


def test_a_weak_new_password_leaves_the_link_good(stranger, reset_link):
    answer = post(stranger, "reset-password/confirm", **reset_link, password="short")
    assert list(answer.json()["details"]) == ["password"]
    assert post(stranger, "reset-password/confirm", **reset_link, password=NEW).status_code == 204


def test_a_reset_link_dies_with_time(stranger, reset_link, settings):
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert post(stranger, "reset-password/confirm", **reset_link, password=NEW).status_code == 400


def test_an_unknown_address_gets_the_same_answer_the_same_work_and_no_mail(db, stranger, mailed):
    answer = post(stranger, "reset-password", email="nobody@example.com")
    assert (answer.status_code, answer.content) == (202, b"")
    assert OutgoingMail.objects.get().user is None
    assert mailed() == []


def test_asking_again_and_again_is_stopped_for_the_mailbox(user, stranger, settings):
    limit, _ = settings.THROTTLES["mail-account"]
    statuses = [post(stranger, "reset-password", email="user@example.com").status_code for _ in range(limit + 1)]
    assert statuses == [202] * limit + [429]


def test_a_verification_link_proves_the_address_once(user, api, stranger, mailed):
    assert api.post("/api/accounts/verify-email/resend/").status_code == 202
    link = link_in(mailed()[-1].body)
    assert post(stranger, "verify-email", **link).status_code == 204
    assert api.get("/api/accounts/me/").json()["email_verified"] is True
    assert post(stranger, "verify-email", **link).status_code == 400


def test_a_verification_link_is_for_one_purpose_and_one_person(user, api, stranger, mailed):
    api.post("/api/accounts/verify-email/resend/")
    link = link_in(mailed()[-1].body)
    assert post(stranger, "reset-password/confirm", **link, password=NEW).status_code == 400
    other = User.objects.create_user("other@example.com", NEW)
    stranger.credentials(HTTP_AUTHORIZATION=f"Bearer {start_session(other).access}")
    stranger.post("/api/accounts/verify-email/resend/")
    others = link_in(mailed()[-1].body)
    assert post(stranger, "verify-email", uid=others["uid"], token=link["token"]).status_code == 400


def test_a_verification_link_dies_with_time(user, api, stranger, mailed, settings):
    api.post("/api/accounts/verify-email/resend/")
    settings.EMAIL_VERIFICATION_TIMEOUT = -1
    assert post(stranger, "verify-email", **link_in(mailed()[-1].body)).status_code == 400


@pytest.mark.parametrize("uid", ["", "x", "AAAA", "MDAw", "bm90LWEtdXVpZA", "\u00e9"])
@pytest.mark.parametrize("token", ["x", "a-b", "1:2:3"])
def test_a_made_up_link_is_refused(db, stranger, uid, token):
    assert post(stranger, "verify-email", uid=uid, token=token).status_code == 400
    assert post(stranger, "reset-password/confirm", uid=uid, token=token, password=NEW).status_code == 400


def test_a_verified_user_is_not_mailed_again(user, api, mailed):
    User.objects.update(email_verified=True)
    assert api.post("/api/accounts/verify-email/resend/").status_code == 202
    assert mailed() == []
