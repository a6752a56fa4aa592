"""Questions and answers: what is spent, what is told, and what is left when an answer breaks off."""

import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import UsageEntry, User, UserUsage
from analysis.chat import answering, recall, services
from analysis.chat.models import ChatMessage
from analysis.chat.stream import stream_of
from analysis.errors import AnswerRunning, NothingToStop, NotReadyToTalk
from analysis.models import PostAnalysis
from analysis.tests.fakes import make_request
from analysis.tests.talking import answer_beside, answer_row, finished, session_of, text_in, watch
from core import redis
from core.errors import LimitReached, Missing
from social.models import Post

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
QUESTION = "What do the comments ask for?"


def questions(user):
    return sum(UserUsage.objects.filter(user=user).values_list("questions_asked", flat=True))


def test_an_answer_is_told_word_by_word_and_kept_whole(user):
    asked = services.ask(user, session_of(user).pk, QUESTION)
    answering.answer(asked)
    row, events = answer_row(asked), watch(asked)
    assert row.status == "complete"
    assert text_in(events) == row.content != ""
    assert events[-1][0] == "done"
    assert events[-1][2]["message"]["content"] == row.content
    assert questions(user) == 1


def test_what_an_answer_is_made_from_is_fetched_with_two_looks(user):
    session = session_of(user)
    post = Post.objects.create(
        platform_id="x", platform_post_id="11", seen_at=timezone.now(), author="ana", text="long"
    )
    PostAnalysis.objects.filter(pk=session.post_analysis_id).update(post=post)
    asked = services.ask(user, session.pk, QUESTION)
    with CaptureQueriesContext(connection) as queries:
        begun = recall.begin(asked, answering.LEASE)
        assert begun
        message, _, analysis = begun
        system, question = recall.messages_for(message, analysis, recall.dossier_of(analysis))
    assert len(queries) == 2
    assert "platform: x" in system.text
    assert question.text == QUESTION


def test_without_a_model_the_evidence_that_matches_is_the_answer(user):
    asked = services.ask(user, session_of(user).pk, "Does anybody ask about sourdough?")
    answering.answer(asked)
    row = answer_row(asked)
    assert "Part two about sourdough starters please" in row.content
    assert {"evidence_id": "k2", "known": True, "supported": True} in row.citations
    assert row.provider == "rules"


def test_what_the_evidence_does_not_hold_is_not_invented(user):
    asked = services.ask(user, session_of(user).pk, "Which camera and lens were used?")
    answering.answer(asked)
    assert "I don't have that" in answer_row(asked).content


def test_a_model_is_told_the_evidence_whole_and_its_citations_are_checked(user, model):
    model.says = 'They want "the folding once more" [k1]. It has 9,000,000 views [m1]. A camera did it [k99].'
    asked = services.ask(user, session_of(user).pk, QUESTION)
    answering.answer(asked)
    row = answer_row(asked)
    told = {each["evidence_id"]: (each["known"], each["supported"]) for each in row.citations}
    assert told == {"k1": (True, True), "m1": (True, False), "k99": (False, False)}
    sent = str(model.asked[0]["messages"])
    assert "Part two about sourdough starters please" in sent
    assert row.tokens_out > 0


def test_the_conversation_so_far_is_told_too(user, model):
    session = session_of(user)
    model.says = "The answer to the first."
    for question in ("The first question", "The second question"):
        answering.answer(services.ask(user, session.pk, question))
    turns = [(each["role"], each["content"]) for each in model.asked[1]["messages"][1:]]
    assert turns == [
        ("user", "The first question"), ("assistant", "The answer to the first."), ("user", "The second question"),
    ]  # fmt: skip


def test_of_a_long_conversation_the_newest_turns_are_told(user, model):
    session = session_of(user)
    model.says = "word " * 700
    for number in range(8):
        answering.answer(services.ask(user, session.pk, f"Question {number} " + "long " * 300))
    turns = [each["content"] for each in model.asked[-1]["messages"][1:]]
    assert turns[-1].startswith("Question 7")
    assert not any(turn.startswith("Question 0") for turn in turns)
    assert sum(map(len, turns)) <= 16_000
    assert model.asked[-1]["messages"][1]["role"] == "user"


def test_one_answer_at_a_time(user):
    session = session_of(user)
    services.ask(user, session.pk, QUESTION)
    with pytest.raises(AnswerRunning):
        services.ask(user, session.pk, QUESTION)
    assert questions(user) == 1
    assert session.messages.count() == 2


def test_many_at_once_leave_one_question_and_one_unit(user):
    session = session_of(user)
    outcomes = []

    def ask():
        try:
            services.ask(user, session.pk, QUESTION)
            outcomes.append("asked")
        except AnswerRunning:
            outcomes.append("running")
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["asked"] + ["running"] * 11
    assert questions(user) == 1


def test_a_question_beyond_the_limit_leaves_nothing(user):
    session = session_of(user)
    plan = user.subscriptions.get().plan
    for number in range(plan.max_questions_per_day):
        UsageEntry.objects.create(
            user=user, day=timezone.now().date(), platform="x", kind="questions_asked", source=f"q:{number}", amount=1
        )
    UserUsage.objects.create(
        user=user, day=timezone.now().date(), platform="x", questions_asked=plan.max_questions_per_day
    )
    with pytest.raises(LimitReached):
        services.ask(user, session.pk, QUESTION)
    assert ChatMessage.objects.count() == 0


def test_only_a_finished_analysis_can_be_talked_about(user):
    _, [post] = make_request(user)
    with pytest.raises(NotReadyToTalk):
        services.open_session(user, post.pk)
    done = finished(user)
    first, is_new = services.open_session(user, done.pk)
    again, is_new_again = services.open_session(user, done.pk)
    assert (first, is_new, is_new_again) == (again, True, False)


def test_somebody_elses_is_not_there(user):
    other = User.objects.create_user("other@example.com", "a long password")
    session = session_of(user)
    asked = services.ask(user, session.pk, QUESTION)
    for ask in (
        lambda: services.open_session(other, session.post_analysis_id),
        lambda: services.ask(other, session.pk, QUESTION),
        lambda: services.stop(other, asked),
        lambda: services.own_message(other, asked),
    ):
        with pytest.raises(Missing):
            ask()


def test_a_failure_before_the_first_word_gives_the_unit_back(user, model):
    model.fail("*", status=401, times=-1)
    asked = services.ask(user, session_of(user).pk, QUESTION)
    answering.answer(asked)
    row, events = answer_row(asked), watch(asked)
    assert (row.status, row.content) == ("failed", "")
    assert questions(user) == 0
    assert events[-1][0] == "error"


def test_a_failure_in_the_middle_keeps_what_was_shown(user, model):
    model.says, model.breaks_after = "one two three four five six", 3
    asked = services.ask(user, session_of(user).pk, QUESTION)
    answering.answer(asked)
    row, events = answer_row(asked), watch(asked)
    assert row.status == "interrupted"
    assert text_in(events) == row.content != ""
    assert events[-1][0] == "error"
    assert questions(user) == 1


def test_an_answer_is_begun_once(user, model):
    model.says = "Once."
    asked = services.ask(user, session_of(user).pk, QUESTION)
    for _ in range(3):
        answering.answer(asked)
    assert len(model.asked) == 1


def test_an_answer_that_is_stopped_stops(user, model, settings):
    model.says, model.token_delay = "word " * 200, 0.02
    asked = services.ask(user, session_of(user).pk, QUESTION)
    worker = answer_beside(asked)
    while not redis.client().xlen(f"stream:{stream_of(asked)}") > 5:
        pass
    services.stop(user, asked)
    worker.join(5)
    assert not worker.is_alive()
    row, events = answer_row(asked), watch(asked)
    assert (row.status, row.error_code) == ("interrupted", "cancelled")
    assert text_in(events) == row.content
    assert 0 < len(row.content) < len(model.says)
    with pytest.raises(NothingToStop):
        services.stop(user, asked)
