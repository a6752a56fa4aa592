"""What goes wrong around an answer, and must not take the conversation, or everybody else, with it."""

import threading
import time

import pytest
from django.db import connection, transaction

from accounts.models import UserUsage
from analysis.chat import answering, ending, services
from analysis.chat.models import ChatMessage, ChatSession
from analysis.models import PostAnalysis
from analysis.tests.talking import answer_row, finished, session_of

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def outcome_of(work):
    """A thread that does something, and what came of it."""
    came = []

    def run():
        try:
            came.append(work())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, came


def questions(user):
    return sum(UserUsage.objects.filter(user=user).values_list("questions_asked", flat=True))


def test_a_question_that_was_not_answered_is_not_told_to_the_model_as_a_turn_without_its_answer(user, model):
    """Many models of one's own refuse two questions in a row: one failure would end the conversation for good."""
    session = session_of(user)
    lost = services.ask(user, session.pk, "The one that failed")
    ending.interrupt(lost, code="interrupted", message="")
    model.says = "An answer."
    for question in ("The second", "The third"):
        answering.answer(services.ask(user, session.pk, question))
    turns = [(each["role"], each["content"]) for each in model.asked[-1]["messages"][1:]]
    assert turns == [("user", "The second"), ("assistant", "An answer."), ("user", "The third")]


def test_a_result_that_cannot_be_read_fails_the_question_at_once_and_costs_nothing(user):
    session = session_of(user)
    PostAnalysis.objects.update(verdict={"label": "over", "baseline": {"of another time": 1}})
    asked = services.ask(user, session.pk, "What?")
    answering.answer(asked)
    assert (answer_row(asked).status, questions(user)) == ("failed", 0)


def test_only_so_many_may_keep_a_process_waiting_for_whole_answers(user, settings):
    """Each takes one of its few threads; whoever comes then is told at once where the answer will stand."""
    settings.CHAT_WAIT_SECONDS = 3.0
    asked = services.ask(user, session_of(user).pk, "What?")
    waiting = [outcome_of(lambda: services.wait_for(asked)) for _ in range(services.MOST_WAITING)]
    time.sleep(1.0)
    began = time.monotonic()
    assert services.wait_for(asked) is False
    assert time.monotonic() - began < 1.0
    ChatMessage.objects.filter(pk=asked).update(status="complete", content="Said.")
    assert services.wait_for(asked) is True
    for thread, came in waiting:
        thread.join()
        assert came == [True]


@pytest.mark.parametrize("doing", ["asks", "asks with a key", "begins to talk", "notes"])
def test_whoever_comes_while_the_analysis_is_removed_finds_nothing(api, user, doing):
    post = finished(user)
    session = ChatSession(user=user, post_analysis=post)
    if doing.startswith("asks"):
        session.save()
    key = {"HTTP_IDEMPOTENCY_KEY": "once"} if "key" in doing else {}
    path, body = {
        "asks": (f"chat/sessions/{session.pk}/messages/stream/", {"content": "What?"}),
        "begins to talk": ("chat/sessions/", {"post_analysis_id": str(post.pk)}),
        "notes": ("notes/save/", {"post_analysis_id": str(post.pk), "content": "Mine"}),
    }[doing.removesuffix(" with a key")]
    with transaction.atomic():
        PostAnalysis.objects.filter(pk=post.pk).delete()
        thread, came = outcome_of(lambda: api.post(f"/api/analysis/{path}", body, format="json", **key))
        time.sleep(0.5)
        assert came == []  # it waits for us
    thread.join()
    assert [each.status_code for each in came] == [404]
    assert questions(user) == 0
