"""Mails that are owed are sent once, tried again for a while when they fail, and given up loudly."""

import threading
from contextlib import suppress
from datetime import timedelta
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from structlog.testing import capture_logs

from accounts.mail import MOST_ATTEMPTS, forget_sent_mail, owe_mail, send_owed_mail, waiting_mail
from accounts.models import OutgoingMail, User

SMTP = "django.core.mail.backends.smtp.EmailBackend"


class Refusing(StreamRequestHandler):
    """A mail server that knows nobody of the name."""

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            refused = line.upper().startswith(b"RCPT")
            self.wfile.write(b"550 5.1.1 <user@example.com> unknown\r\n" if refused else b"250 well\r\n")


@pytest.fixture
def refusing_server(settings):
    with ThreadingTCPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", server.server_address[1]
        yield
        server.shutdown()


@pytest.fixture
def no_server(settings):
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", 9


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


def try_until_given_up(mail_id):
    """The wait in minutes after each attempt, every one of which must fail."""
    for _ in range(MOST_ATTEMPTS):
        assert send_owed_mail(mail_id) is False
        yield round((OutgoingMail.objects.get().run_after - timezone.now()) / timedelta(minutes=1))
        assert send_owed_mail(mail_id) is False
        assert waiting_mail() == []
        OutgoingMail.objects.update(run_after=timezone.now() - timedelta(seconds=1))


def test_a_mail_that_fails_is_tried_again_later_and_later(user, no_server):
    waits = list(try_until_given_up(owe(user)))
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, *[360] * 6]
    assert sum(waits[:-1]) > 24 * 60
    assert waiting_mail() == []


def test_the_last_failure_is_an_error_and_the_doctor_counts_it(user, no_server, capsys):
    assert "none was given up" in mail_owed_by_doctor(capsys)
    with capture_logs() as lines:
        list(try_until_given_up(owe(user)))
    assert [line["event"] for line in lines] == ["mail_failed"] * MOST_ATTEMPTS + ["mail_given_up"]
    assert [line["log_level"] for line in lines[-2:]] == ["warning", "error"]
    assert mail_owed_by_doctor(capsys).split()[:4] == ["WRONG", "mail", "owed", "1"]


def mail_owed_by_doctor(capsys):
    with suppress(CommandError):
        call_command("doctor")
    return next(line for line in capsys.readouterr().out.splitlines() if "mail owed" in line)


def test_a_refused_address_is_in_no_log(user, refusing_server, caplog, capfd):
    mail_id = owe(user)
    with capture_logs() as lines:
        assert send_owed_mail(mail_id) is False
    assert lines == [
        {
            "event": "mail_failed",
            "log_level": "warning",
            "template": "verify_email",
            "error": "SMTPRecipientsRefused",
            "smtp_code": 550,
        }
    ]
    OutgoingMail.objects.update(run_after=timezone.now(), attempts=MOST_ATTEMPTS - 1)
    assert send_owed_mail(mail_id) is False
    said = caplog.text + "".join(capfd.readouterr())
    assert "mail_given_up" in said
    assert user.email not in said


def test_an_address_that_cannot_be_written_is_in_no_log(user):
    User.objects.update(email="two\nlines@example.com")
    with capture_logs() as lines:
        assert send_owed_mail(owe(User.objects.get())) is False
    assert [(line["event"], line["smtp_code"]) for line in lines] == [("mail_failed", None)]
    assert "lines@" not in str(lines)


@pytest.mark.parametrize("change", [{"email": "user_1@users.clerk.invalid"}, {"is_active": False}])
def test_nobody_is_written_to_where_nobody_reads(user, mailoutbox, change):
    User.objects.update(**change)
    mail_id = owe(user)
    assert send_owed_mail(mail_id) is True
    assert mailoutbox == []
    assert OutgoingMail.objects.get().sent_at
    assert waiting_mail() == []


def test_a_message_that_cannot_be_sent_harms_nobody(user, celery_broker, django_capture_on_commit_callbacks):
    celery_broker("nonsense://")
    with django_capture_on_commit_callbacks(execute=True) as hooks:
        mail_id = owe(user)
    assert len(hooks) == 1
    assert waiting_mail() == [mail_id]


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


def test_old_mails_are_forgotten_a_batch_at_a_time(user, django_assert_num_queries):
    OutgoingMail.objects.bulk_create(OutgoingMail(user=user, template="verify_email") for _ in range(1001))
    OutgoingMail.objects.update(created_at=timezone.now() - timedelta(days=31))
    with django_assert_num_queries(5):
        assert forget_sent_mail() == 1001
