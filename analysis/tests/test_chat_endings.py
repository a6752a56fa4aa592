"""How answers end: whatever ends them, what is kept is what was shown, and nobody goes on listening for an hour."""

import asyncio
import threading
import time

import pytest
from django.db import connection, transaction

from accounts.models import UserUsage
from analysis import services as analyses
from analysis.chat import answering, services, tail
from analysis.chat.models import ChatMessage
from analysis.chat.stream import stream_of, tell
from analysis.errors import NothingToStop, NotReadyToTalk
from analysis.models import PostAnalysis, PostAnalysisRequest
from analysis.tests.talking import answer_row, events_in, session_of, text_in, watch
from core import redis

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def at_once(work):
    """Something that is done beside the test, on a thread with a connection of its own."""

    def run():
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def questions(user):
    return sum(UserUsage.objects.filter(user=user).values_list("questions_asked", flat=True))


def begun(user, *, content=""):
    """An answer that a worker has begun."""
    asked = services.ask(user, session_of(user).pk, "What?")
    ChatMessage.objects.filter(pk=asked).update(fence=1, content=content)
    return asked


def remove_analysis(user):
    """One that is over, with all that hangs on it."""
    PostAnalysisRequest.objects.update(status="COMPLETED", open_posts=0)
    analyses.remove(user, PostAnalysisRequest.objects.get().pk)


def meanwhile(message_id, happens, **how):
    """Everything that somebody is told who listens while something happens."""

    async def listen():
        return b"".join([chunk async for chunk in tail.follow(message_id, 0, **how)])

    async def scenario():
        listening = asyncio.ensure_future(listen())
        await asyncio.sleep(0.3)
        await asyncio.to_thread(lambda: at_once(happens).join())
        return await asyncio.wait_for(listening, 10)

    return events_in(asyncio.run(scenario()))


def test_an_answer_whose_last_event_was_lost_ends_all_the_same(user):
    asked = begun(user)
    tell(asked, "token", {"text": "Three ", "at": 0}, at=6)
    told = meanwhile(
        asked,
        lambda: ChatMessage.objects.filter(pk=asked).update(content="Three readers", status="complete"),
        heartbeat=0.2,
    )
    assert text_in(told) == "Three readers"
    assert told[-1][0] == "done"


def test_words_that_are_told_after_an_answer_was_stopped_are_shown_to_nobody(user):
    """Its worker finds out a moment later, and goes on telling until then."""
    asked = begun(user)
    tell(asked, "token", {"text": "Three ", "at": 0}, at=6)
    told = meanwhile(asked, lambda: services.stop(user, asked))
    assert text_in(told) == told[-1][2]["answer"]["content"] == answer_row(asked).content == "Three "


@pytest.mark.parametrize("turn", range(6))
def test_of_an_answer_that_is_stopped_every_word_is_kept_that_was_shown(user, model, turn):
    model.says, model.token_delay = "word " * 300, 0.003
    asked = services.ask(user, session_of(user).pk, "What?")
    worker = at_once(lambda: answering.answer(asked))

    def stop():
        deadline = time.monotonic() + 5
        while redis.client().xlen(f"stream:{stream_of(asked)}") < 3 and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(0.011 * turn)
        services.stop(user, asked)

    told = meanwhile(asked, stop)
    worker.join()
    assert text_in(told) == answer_row(asked).content
    assert told[-1][2]["code"] == "cancelled"


def test_where_the_stream_has_lost_words_what_is_kept_has_no_hole(user):
    asked = begun(user, content="one two ")
    # "three " was lost on its way, so nobody has been shown what comes behind it.
    tell(asked, "token", {"text": "one two ", "at": 0}, at=8)
    tell(asked, "token", {"text": "four five six", "at": 14}, at=27)
    services.stop(user, asked)
    assert answer_row(asked).content == text_in(watch(asked)) == "one two "


def test_what_has_ended_cannot_be_stopped_and_leaves_nothing_behind(user):
    asked = services.ask(user, session_of(user).pk, "What?")
    answering.answer(asked)
    redis.client().flushall()
    with pytest.raises(NothingToStop):
        services.stop(user, asked)
    assert not redis.client().exists(f"stream:{stream_of(asked)}")


def test_whoever_listens_to_an_answer_whose_analysis_is_removed_hears_so_at_once(user):
    asked = begun(user)
    tell(asked, "token", {"text": "Three ", "at": 0}, at=6)
    told = meanwhile(asked, lambda: remove_analysis(user))
    assert told[-1][:2] == ("error", "6")
    assert told[-1][2]["code"] == "removed"
    assert not ChatMessage.objects.exists()


def test_a_question_whose_analysis_is_removed_before_a_word_was_said_costs_nothing(user):
    services.ask(user, session_of(user).pk, "What?")
    assert questions(user) == 1
    remove_analysis(user)
    assert questions(user) == 0


def test_a_model_that_does_not_stop_talking_is_left_when_its_answer_is_stopped(user, model):
    model.says, model.token_delay = ("w" * 1000 + " ") * 1000, 0.01
    asked = services.ask(user, session_of(user).pk, "What?")
    worker = at_once(lambda: answering.answer(asked))
    while len(answer_row(asked).content) < answering.LONGEST_ANSWER:
        time.sleep(0.05)
    services.stop(user, asked)
    worker.join(3)
    assert not worker.is_alive()


def test_a_question_that_is_asked_while_its_analysis_is_removed_costs_nothing(user):
    """It comes behind the look for answers that are to be stopped, and goes with all the rest."""
    session = session_of(user)
    with transaction.atomic():
        # Whoever removes it waits for us right behind that look.
        PostAnalysis.objects.select_for_update().get()
        removing = at_once(lambda: remove_analysis(user))
        time.sleep(0.5)
        services.ask(user, session.pk, "What?")
    removing.join()
    assert (ChatMessage.objects.count(), questions(user)) == (0, 0)


def test_while_the_team_has_a_post_worked_on_again_its_session_is_there_and_nothing_can_be_asked(user):
    session = session_of(user)
    PostAnalysis.objects.update(status="PROCESSING")
    assert services.open_session(user, session.post_analysis_id) == (session, False)
    with pytest.raises(NotReadyToTalk):
        services.ask(user, session.pk, "What?")
    assert (ChatMessage.objects.count(), questions(user)) == (0, 0)
