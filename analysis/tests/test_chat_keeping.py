"""What an answer leaves behind when it breaks off: every word that was shown, and all that is known of it."""

import threading
import time

import pytest
from django.db import connection

from accounts.models import UserUsage
from analysis.chat import answering, services, sweeping
from analysis.chat.models import ChatMessage
from analysis.chat.stream import words_told
from analysis.prompting import chat_version
from analysis.providers import PROVIDERS
from analysis.providers.contract import Completion, Piece
from analysis.tests.talking import answer_beside, answer_row, session_of, watch
from core import redis

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def speaker(settings, monkeypatch):
    """An analyst that says what a test wants, with a pause before each word, and goes on when it may."""

    class Speaker:
        name, sees = "speaker", False
        said: list[tuple[float, str]] = []
        may_end = threading.Event()
        end = Completion(text="", provider="speaker", model="speaker-1")

        def is_configured(self):
            return True

        def stream(self, messages):
            for pause, word in Speaker.said:
                time.sleep(pause)
                yield Piece(text=word, model="speaker-1")
            Speaker.may_end.wait(20)
            yield Piece(end=Speaker.end)

    monkeypatch.setitem(PROVIDERS, "speaker", Speaker)
    settings.CHAT_PROVIDERS = ["speaker"]
    yield Speaker
    Speaker.may_end.set()


def until(holds, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lose_connections():
    """As a restart of the server, or somebody at its console, ends them: all but this test's own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def questions(user):
    return sum(UserUsage.objects.filter(user=user).values_list("questions_asked", flat=True))


def test_words_before_a_pause_are_kept_though_redis_loses_them_and_the_answer_is_stopped(user, speaker):
    speaker.said = [(0.0, "A "), (0.6, "B "), (0.12, "and the rest that everybody reads")]
    asked = services.ask(user, session_of(user).pk, "What?")
    worker = answer_beside(asked)
    until(lambda: "".join(words for _, words in words_told(asked)).endswith("reads"))
    time.sleep(1.0)
    redis.client().flushall()
    services.stop(user, asked)
    speaker.may_end.set()
    worker.join()
    assert answer_row(asked).content == "A B and the rest that everybody reads"


def test_an_answer_outlives_the_loss_of_every_connection_to_the_database(user, speaker):
    speaker.said = [(0.05, f"w{number} ") for number in range(40)]
    speaker.may_end.set()
    asked = services.ask(user, session_of(user).pk, "What?")
    worker = answer_beside(asked)
    until(lambda: answer_row(asked).content)
    lose_connections()
    worker.join()
    row = answer_row(asked)
    assert (row.status, row.content) == ("complete", "".join(word for _, word in speaker.said))


def test_an_answer_that_fails_after_the_connection_was_lost_ends_at_once_and_costs_nothing(user, model):
    model.fail("chat", status=401, delay=1.0, times=-1)
    asked = services.ask(user, session_of(user).pk, "What?")
    worker = answer_beside(asked)
    until(lambda: model.calls)
    lose_connections()
    worker.join()
    assert (answer_row(asked).status, questions(user)) == ("failed", 0)


def test_an_answer_whose_row_takes_no_such_end_breaks_off_at_once(user, speaker):
    speaker.said, speaker.end = [(0.0, "All is said.")], Completion(text="", provider="speaker", model="m" * 81)
    speaker.may_end.set()
    asked = services.ask(user, session_of(user).pk, "What?")
    answering.answer(asked)
    row = answer_row(asked)
    assert (row.status, row.error_code, row.content) == ("interrupted", "internal", "All is said.")
    assert watch(asked)[-1][0] == "error"


def test_a_stopped_answer_says_who_spoke_and_what_it_cites(user, speaker):
    speaker.said = [(0.0, "It opens with bread [c1]. ")]
    asked = services.ask(user, session_of(user).pk, "What?")
    worker = answer_beside(asked)
    until(lambda: words_told(asked))
    services.stop(user, asked)
    told = [data["evidence_id"] for name, _, data in watch(asked, shown=26) if name == "citation"]
    assert told == ["c1"]
    speaker.may_end.set()
    worker.join()
    row = answer_row(asked)
    assert (row.provider, row.model, row.prompt_version) == ("speaker", "speaker-1", chat_version())
    assert [each["evidence_id"] for each in row.citations] == ["c1"]


def test_of_a_worker_that_died_it_is_known_who_spoke_and_not_what_it_cost(user, speaker):
    speaker.said = [(0.0, "It opens with bread [c1]. ")]
    asked = services.ask(user, session_of(user).pk, "What?")
    worker = answer_beside(asked)
    until(lambda: answer_row(asked).content)
    # Its lease is not renewed in time, which is all that others see of its death.
    ChatMessage.objects.filter(pk=asked).update(lease_until="2026-01-01T00:00:00Z")
    sweeping.sweep()
    row = answer_row(asked)
    assert (row.status, row.provider, row.model, row.cost_micros) == ("interrupted", "speaker", "speaker-1", None)
    assert [each["evidence_id"] for each in row.citations] == ["c1"]
    speaker.may_end.set()
    worker.join()


def test_what_a_model_was_stopped_before_it_told_its_use_has_cost_is_not_known(user, model):
    """Free it was not."""
    model.says, model.token_delay = "word " * 300, 0.01
    asked = services.ask(user, session_of(user).pk, "What?")
    worker = answer_beside(asked)
    until(lambda: answer_row(asked).content)
    services.stop(user, asked)
    worker.join()
    row = answer_row(asked)
    assert (row.provider, row.cost_micros) == ("openai_compatible", None)
    assert row.model != ""
