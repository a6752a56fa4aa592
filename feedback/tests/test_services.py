"""Feedback goes with its author; a reply is kept and its mail owed once."""

import threading

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone

from accounts.mail import forget_sent_mail, send_owed_mail
from accounts.models import OutgoingMail, User
from accounts.services import ask_erasure, erase
from feedback.models import Feedback
from feedback.services import answer, move, take


def test_an_export_holds_what_was_said_and_who_of_the_team_dealt_with_it_is_left_out(api, said, staff):
    take(Feedback.objects.all(), by=staff)
    answer(said, "Faster now.", by=staff)
    document = api.get("/api/accounts/me/export/")
    (row,) = document.json()["feedback"]
    assert (row["message"], row["reply"], row["status"]) == (said.message, "Faster now.", "answered")
    assert str(staff.pk).encode() not in document.content


def test_an_erased_user_leaves_no_word_behind(user, said, staff):
    answer(said, "Faster now.", by=staff)
    LogEntry.objects.log_actions(staff.pk, [said], CHANGE, "Taken", single_object=True)
    ask_erasure(user)
    erase(str(user.pk))
    assert not Feedback.objects.exists()
    assert not OutgoingMail.objects.exists()
    (entry,) = LogEntry.objects.all()
    assert not any(word in str(vars(entry)) for word in ("slow", user.email))


def test_an_erased_member_of_staff_leaves_the_feedback_of_others(said, staff):
    take(Feedback.objects.all(), by=staff)
    answer(said, "Faster now.", by=staff)
    staff.delete()
    row = Feedback.objects.get()
    assert (row.assignee, row.replied_by, row.reply) == (None, None, "Faster now.")


def test_a_reply_is_mailed_with_the_users_own_words(user, said, staff, mailoutbox):
    User.objects.filter(pk=user.pk).update(full_name="Ana <b>Ríos</b> & Co")
    assert answer(said, " <b>Faster</b> now.\r\nThank you & bye! ", by=staff)
    mail = OutgoingMail.objects.get()
    assert [send_owed_mail(str(mail.pk)) for _ in range(2)] == [True, False]
    (message,) = mailoutbox
    assert (message.to, message.subject, message.alternatives) == ([user.email], "Our answer to your feedback", [])
    assert message.content_subtype == "plain"
    assert "Hello Ana <b>Ríos</b> & Co," in message.body
    assert "<b>Faster</b> now.\nThank you & bye!\n" in message.body
    assert "> It is slow.\n> Very slow." in message.body
    row = Feedback.objects.get()
    assert (row.status, row.replied_by, row.reply_mail_id) == ("answered", staff, mail.pk)


def test_a_second_reply_is_refused_and_the_same_one_again_is_none(said, staff):
    assert answer(said, "Faster now.", by=staff)
    assert answer(said, "Faster now.", by=staff)
    assert not answer(said, "Slower now.", by=staff)
    assert OutgoingMail.objects.count() == 1
    assert Feedback.objects.get().reply == "Faster now."


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_ten_replies_at_once_are_one_mail(said, staff):
    kept = []

    def work(number):
        kept.append(answer(said, f"Reply {number}", by=staff))
        connection.close()

    threads = [threading.Thread(target=work, args=[number]) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kept) == [False] * 9 + [True]
    assert OutgoingMail.objects.count() == 1


def test_a_reply_outlives_the_record_of_its_mail(said, staff):
    answer(said, "Faster now.", by=staff)
    OutgoingMail.objects.update(created_at="2026-01-01T00:00:00Z")
    assert forget_sent_mail() == 1
    assert Feedback.objects.get().reply == "Faster now."


def test_nothing_is_mailed_where_the_feedback_is_gone(said, staff, mailoutbox):
    answer(said, "Faster now.", by=staff)
    Feedback.objects.all().delete()
    assert send_owed_mail(str(OutgoingMail.objects.get().pk)) is True
    assert mailoutbox == []


def test_many_at_once_are_never_moved_back(user, staff):
    now = timezone.now()
    for status in Feedback.Status:
        replied = {"reply": "Yes.", "replied_at": now} if status == "answered" else {}
        Feedback.objects.create(user=user, kind="bug", message=status, status=status, **replied)

    def moved(to):
        return {row.message for row in move(Feedback.objects.all(), to=to)}

    assert moved(Feedback.Status.SEEN) == {"new"}
    assert moved(Feedback.Status.PLANNED) == {"new", "seen"}
    assert moved(Feedback.Status.CLOSED) == {"new", "seen", "planned", "answered"}
    assert set(Feedback.objects.values_list("status", flat=True)) == {"closed"}


def test_what_is_taken_is_seen(user, said, staff):
    planned = Feedback.objects.create(user=user, kind="bug", message="m", status="planned", assignee=user)
    assert set(take(Feedback.objects.all(), by=staff)) == {said, planned}
    assert take(Feedback.objects.all(), by=staff) == []
    assert {(row.assignee, row.status) for row in Feedback.objects.all()} == {(staff, "seen"), (staff, "planned")}


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "rant"}, {"status": "lost"}, {"rating": 0}, {"rating": 6}, {"message": ""}, {"message": "x" * 4001},
        {"status": "answered"}, {"reply": "Yes."}, {"replied_at": timezone.now()},
    ],
)  # fmt: skip
def test_the_database_refuses_what_makes_no_sense(user, wrong):
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        Feedback.objects.create(**{"user": user, "kind": "bug", "message": "Hello", **wrong})
