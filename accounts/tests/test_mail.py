"""Mails that are owed are sent once, tried again when they fail, and kept until then."""

import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from accounts.mail import MOST_ATTEMPTS, forget_sent_mail, owe_mail, send_owed_mail, waiting_mail
from accounts.models import OutgoingMail, User


def owe(user):
    owe_mail(user, "verify_email")
    return str(OutgoingMail.objects.latest("id").pk)


def test_a_mail_is_sent_once_however_often_its_message_comes(user, mailoutbox):
    mail_id = owe(user)
    assert [send_owed_mail(mail_id) for _ in range(3)] == [True, False, False]
    assert [message.to for message in mailoutbox] == [[user.email]]
    assert mailoutbox[0].subject == "Confirm your address for Whyral"
    assert waiting_mail() == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_ten_workers_with_the_same_message_send_one_mail(user, mailoutbox):
    mail_id = owe(user)

    def work():
        send_owed_mail(mail_id)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mail.outbox) == 1


def test_a_mail_that_fails_is_tried_again_later_and_later(user, settings):
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        9,
    )
    mail_id = owe(user)
    waits = []
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(ConnectionRefusedError):
            send_owed_mail(mail_id)
        waits.append(OutgoingMail.objects.get().run_after - timezone.now())
        assert send_owed_mail(mail_id) is False
        assert waiting_mail() == []
        OutgoingMail.objects.update(run_after=timezone.now() - timedelta(seconds=1))
    assert [round(wait / timedelta(minutes=1)) for wait in waits] == [1, 2, 4, 8, 16, 32]
    assert waiting_mail() == []


def test_a_name_cannot_add_to_a_mail_what_is_not_its_text(user, mailoutbox):
    User.objects.update(full_name="<b>Ana</b> & Co")
    send_owed_mail(owe(User.objects.get()))
    assert "Hello <b>Ana</b> & Co," in mailoutbox[0].body
    assert mailoutbox[0].alternatives == []


def test_old_mails_are_forgotten(user):
    owe(user)
    OutgoingMail.objects.update(created_at=timezone.now() - timedelta(days=31))
    owe(user)
    assert forget_sent_mail() == 1
    assert OutgoingMail.objects.count() == 1
