"""Chats and notes over HTTP."""

import json
import threading

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.identity.local import start_session
from accounts.models import User, UserUsage
from analysis.chat import answering
from analysis.chat.models import ChatMessage
from analysis.notes.models import AnalysisNote
from analysis.tests.talking import body_of, events_in, finished, session_of, text_in

CHAT = "/api/analysis/chat"
NOTES = "/api/analysis/notes"
QUESTION = {"content": "Does anybody ask about sourdough?"}


@pytest.fixture
def as_other(db):
    other = User.objects.create_user("other@example.com", "a long password")
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {start_session(other).access}")
    return client


@pytest.fixture
def worker(db):
    """Gives the answers that are owed, until the test is over."""
    stop = threading.Event()

    def work():
        try:
            while not stop.wait(0.02):
                for message_id in ChatMessage.objects.filter(status="streaming", fence=0).values_list("pk", flat=True):
                    answering.answer(message_id)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


live = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@live
def test_a_session_is_begun_once_and_holds_its_messages(api, user, worker):
    post = finished(user)
    first = api.post(f"{CHAT}/sessions/", {"post_analysis_id": str(post.pk)}, format="json")
    again = api.post(f"{CHAT}/sessions/", {"post_analysis_id": str(post.pk)}, format="json")
    assert (first.status_code, again.status_code) == (201, 200)
    session_id = first.json()["id"]
    answer = api.post(f"{CHAT}/sessions/{session_id}/messages/", QUESTION, format="json")
    assert answer.status_code == 200
    assert answer.json()["status"] == "complete"
    assert "sourdough" in answer.json()["content"]
    whole = api.get(f"{CHAT}/sessions/{session_id}/").json()
    assert [message["role"] for message in whole["messages"]] == ["user", "assistant"]
    assert whole["earlier"] is None
    listed = api.get(f"{CHAT}/sessions/list/").json()["results"]
    assert [(each["id"], each["url"]) for each in listed] == [(session_id, post.url)]
    pages = api.get(f"{CHAT}/sessions/{session_id}/messages/").json()["results"]
    assert [each["role"] for each in pages] == ["assistant", "user"]


@live
def test_an_answer_that_takes_long_is_told_where_it_will_stand(api, user, settings):
    settings.CHAT_WAIT_SECONDS = 0.3
    session = session_of(user)
    answer = api.post(f"{CHAT}/sessions/{session.pk}/messages/", QUESTION, format="json")
    assert (answer.status_code, answer.json()["status"]) == (202, "streaming")
    answering.answer(ChatMessage.objects.get(role="assistant").pk)
    there = api.get(answer.headers["Location"])
    assert there.json()["status"] == "complete"


@live
def test_the_same_key_asks_once(api, user, worker):
    session = session_of(user)
    answers = [
        api.post(f"{CHAT}/sessions/{session.pk}/messages/", QUESTION, format="json", HTTP_IDEMPOTENCY_KEY="k-1")
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["Idempotent-Replay"] == "true"
    assert ChatMessage.objects.filter(role="user").count() == 1
    other = api.post(
        f"{CHAT}/sessions/{session.pk}/messages/", {"content": "Else?"}, format="json", HTTP_IDEMPOTENCY_KEY="k-1"
    )
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


@live
def test_a_second_question_while_the_first_is_answered_is_409(api, user, settings):
    settings.CHAT_WAIT_SECONDS = 0
    session = session_of(user)
    api.post(f"{CHAT}/sessions/{session.pk}/messages/", QUESTION, format="json")
    answer = api.post(f"{CHAT}/sessions/{session.pk}/messages/", QUESTION, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "answer_running")


@live
def test_an_answer_streams(api, user, worker):
    session = session_of(user)
    answer = api.post(f"{CHAT}/sessions/{session.pk}/messages/stream/", QUESTION, format="json")
    events = events_in(body_of(answer))
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert [events[0][0], events[-1][0]] == ["start", "done"]
    assert text_in(events) == events[-1][2]["message"]["content"]
    again = api.get(f"{CHAT}/messages/{events[0][2]['message_id']}/stream/", HTTP_LAST_EVENT_ID="10")
    assert text_in(events_in(body_of(again))) == text_in(events)[10:]


@live
def test_an_answer_can_be_stopped(api, user, settings):
    settings.CHAT_WAIT_SECONDS = 0
    session = session_of(user)
    asked = api.post(f"{CHAT}/sessions/{session.pk}/messages/", QUESTION, format="json").json()
    stopped = api.post(f"{CHAT}/messages/{asked['id']}/cancel/")
    assert (stopped.status_code, stopped.json()["status"]) == (200, "interrupted")
    assert api.post(f"{CHAT}/messages/{asked['id']}/cancel/").status_code == 409
    assert sum(UserUsage.objects.filter(user=user).values_list("questions_asked", flat=True)) == 0


@pytest.mark.parametrize("content", ["", "   ", "x" * 4001, None, 5, "a\0b"])
def test_what_is_no_question_is_refused(api, user, content):
    session = session_of(user)
    answer = api.post(f"{CHAT}/sessions/{session.pk}/messages/", {"content": content}, format="json")
    assert answer.status_code == 400
    assert ChatMessage.objects.count() == 0


@live
def test_somebody_elses_conversation_is_not_there(api, as_other, user, settings):
    settings.CHAT_WAIT_SECONDS = 0
    session = session_of(user)
    asked = api.post(f"{CHAT}/sessions/{session.pk}/messages/", QUESTION, format="json").json()
    for method, path, body in [
        ("post", f"{CHAT}/sessions/", {"post_analysis_id": str(session.post_analysis_id)}),
        ("get", f"{CHAT}/sessions/{session.pk}/", None),
        ("get", f"{CHAT}/sessions/{session.pk}/messages/", None),
        ("post", f"{CHAT}/sessions/{session.pk}/messages/", QUESTION),
        ("post", f"{CHAT}/sessions/{session.pk}/messages/stream/", QUESTION),
        ("get", f"{CHAT}/messages/{asked['id']}/", None),
        ("get", f"{CHAT}/messages/{asked['id']}/stream/", None),
        ("post", f"{CHAT}/messages/{asked['id']}/stream/ticket/", {}),
        ("post", f"{CHAT}/messages/{asked['id']}/cancel/", {}),
    ]:
        assert getattr(as_other, method)(path, body, format="json").status_code == 404
    assert as_other.get(f"{CHAT}/sessions/list/").json()["results"] == []


HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "x" * 100 * 1024,
    "👩‍👩‍👧‍👦 emoji \U0001f1e7\U0001f1f7",
    "שלום עולם \u202eabc\u202c",
    "  kept \n\t as it is  \n",
    "",
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_a_note_comes_back_to_the_letter(api, user, content):
    post = finished(user)
    body = {"post_analysis_id": str(post.pk), "title": content[:200], "content": content}
    saved = api.post(f"{NOTES}/save/", body, format="json")
    assert saved.status_code == 200
    for found in (saved.json(), api.get(f"{NOTES}/{post.pk}/").json(), api.get(f"{NOTES}/").json()["results"][0]):
        assert (found["title"], found["content"]) == (content[:200], content)


@pytest.mark.parametrize("letter", ["ש", "語", "👩"])
def test_a_long_note_is_kept_in_every_script_however_its_client_writes_json(api, user, letter):
    post = finished(user)
    content = letter * (100 * 1024 // len(letter.encode()))
    body = json.dumps({"post_analysis_id": str(post.pk), "content": content})
    assert len(body) > 200_000
    assert api.post(f"{NOTES}/save/", body, content_type="application/json").status_code == 200
    assert api.get(f"{NOTES}/{post.pk}/").json()["content"] == content


def test_a_note_beyond_all_measure_is_refused_before_it_is_read(api, user):
    body = json.dumps({"post_analysis_id": str(finished(user).pk), "content": "x" * 1024 * 1024})
    assert api.post(f"{NOTES}/save/", body, content_type="application/json").status_code == 413


def test_a_page_of_notes_is_never_longer_than_twenty_and_leads_to_the_others(api, user):
    AnalysisNote.objects.bulk_create(
        AnalysisNote(user=user, post_analysis=finished(user), content="x", updated_at=timezone.now()) for _ in range(22)
    )
    first = api.get(f"{NOTES}/?page_size=100").json()
    assert len(first["results"]) == 20
    assert len(api.get(first["next"]).json()["results"]) == 2


def test_there_is_one_note_a_user_and_analysis_and_the_last_word_counts(api, user):
    post = finished(user)
    for content in ("first", "second"):
        api.post(f"{NOTES}/save/", {"post_analysis_id": str(post.pk), "content": content}, format="json")
    [note] = api.get(f"{NOTES}/").json()["results"]
    assert note["content"] == "second"
    assert api.delete(f"{NOTES}/{note['id']}/delete/").status_code == 204
    assert api.get(f"{NOTES}/{post.pk}/").status_code == 404


def test_somebody_elses_notes_are_not_there(api, as_other, user):
    post = finished(user)
    note = api.post(f"{NOTES}/save/", {"post_analysis_id": str(post.pk), "content": "mine"}, format="json").json()
    body = {"post_analysis_id": str(post.pk), "content": "not mine"}
    assert as_other.post(f"{NOTES}/save/", body, format="json").status_code == 404
    assert as_other.get(f"{NOTES}/{post.pk}/").status_code == 404
    assert as_other.delete(f"{NOTES}/{note['id']}/delete/").status_code == 404
    assert as_other.get(f"{NOTES}/").json()["results"] == []
    assert api.get(f"{NOTES}/{post.pk}/").json()["content"] == "mine"


def test_the_desk_shows_an_answer_as_text(desk, user):
    message = ChatMessage.objects.create(
        session=session_of(user), role="assistant", status="complete", content="<script>alert(1)</script>\n[k1]"
    )
    listed = desk.get("/admin/analysis/chatmessage/").content.decode()
    page = desk.get(f"/admin/analysis/chatmessage/{message.pk}/change/").content.decode()
    assert str(message.pk) in listed
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)</script>" not in page
