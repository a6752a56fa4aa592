"""Answers that nobody gives any more: they end with what was shown, and what nobody began is sent for or given up."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import UserUsage
from analysis.chat import answering, services, sweeping
from analysis.chat.models import ChatMessage
from analysis.chat.stream import stream_of, tell
from analysis.tests.talking import answer_row, session_of, text_in, watch
from config.queues import count_waiting
from core import redis

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def questions(user):
    return sum(UserUsage.objects.filter(user=user).values_list("questions_asked", flat=True))


def swept():
    """A sweep of its own, on a thread."""
    try:
        sweeping.sweep()
    finally:
        connection.close()


def aged(message_id, **ago):
    """As if that had been so long ago."""
    then = timezone.now() - timedelta(**ago)
    ChatMessage.objects.filter(pk=message_id).update(created_at=then, hinted_at=then)


def test_of_a_worker_that_died_what_was_shown_is_kept(user):
    asked = services.ask(user, session_of(user).pk, "What?")
    # It had told two words, and written down one.
    ChatMessage.objects.filter(pk=asked).update(
        fence=1, content="Three ", lease_until=timezone.now() - timedelta(seconds=1)
    )
    tell(asked, "token", {"text": "Three ", "at": 0}, at=6)
    tell(asked, "token", {"text": "readers", "at": 6}, at=13)
    sweeping.sweep()
    row, events = answer_row(asked), watch(asked)
    assert (row.status, row.content, row.error_code) == ("interrupted", "Three readers", "interrupted")
    assert text_in(events) == "Three readers"
    assert questions(user) == 1


def test_of_a_worker_that_died_before_its_first_word_the_unit_goes_back(user):
    asked = services.ask(user, session_of(user).pk, "What?")
    ChatMessage.objects.filter(pk=asked).update(fence=1, lease_until=timezone.now() - timedelta(seconds=1))
    sweeping.sweep()
    assert answer_row(asked).status == "interrupted"
    assert questions(user) == 0


def test_an_answer_whose_lease_is_renewed_at_the_last_moment_is_left_to_its_worker(user):
    asked = services.ask(user, session_of(user).pk, "What?")
    ChatMessage.objects.filter(pk=asked).update(fence=1, lease_until=timezone.now() - timedelta(seconds=1))
    with transaction.atomic():
        ChatMessage.objects.filter(pk=asked).update(lease_until=timezone.now() + answering.LEASE)
        sweeper = threading.Thread(target=swept)
        sweeper.start()
        time.sleep(0.5)  # it has found the answer, and waits for us
        assert sweeper.is_alive()
    sweeper.join()
    assert answer_row(asked).status == "streaming"
    assert not redis.client().exists(f"stream:{stream_of(asked)}")


def test_a_question_whose_message_was_lost_is_sent_for_again(user):
    asked = services.ask(user, session_of(user).pk, "What?")
    redis.client().flushall()
    sweeping.sweep()  # it was sent for a moment ago
    assert count_waiting("chat") == 0
    aged(asked, minutes=1)
    sweeping.sweep()
    assert count_waiting("chat") == 1


def test_a_question_that_waits_for_its_turn_is_not_sent_for_again_and_again(user):
    asked = services.ask(user, session_of(user).pk, "What?")
    for _ in range(4):
        aged(asked, minutes=1)
        sweeping.sweep()
    assert count_waiting("chat") == 1


def test_a_question_that_nobody_begins_is_given_up_and_costs_nothing(user):
    session = session_of(user)
    asked = services.ask(user, session.pk, "What?")
    aged(asked, hours=1)
    sweeping.sweep()
    row, events = answer_row(asked), watch(asked)
    assert (row.status, row.error_code, questions(user)) == ("failed", "no_answer", 0)
    assert events[-1][0] == "error"
    answering.answer(asked)  # its message comes after all
    assert answer_row(asked).status == "failed"
    services.ask(user, session.pk, "And now?")
