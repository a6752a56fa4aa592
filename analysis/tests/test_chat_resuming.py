"""A browser that drops and comes back: what it shows in the end is the stored answer, whatever was lost meanwhile."""

import asyncio
import random
import threading
import time
from contextlib import aclosing
from itertools import accumulate

import pytest
from django.db import connection

from accounts.models import UNLIMITED, Plan
from analysis.chat import answering, services, tail
from analysis.chat.models import ChatMessage
from analysis.chat.stream import stream_of, tell
from analysis.providers import PROVIDERS
from analysis.providers.contract import Completion, Piece
from analysis.tests.talking import answer_beside, answer_row, events_in, session_of, text_in, watch
from core import redis
from core.streams import ask_database

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
WORDS = [
    "Três ",
    "readers ",
    "ask ",
    "for ",
    "🍞 ",
    "part ",
    "two ",
    "[k2]. ",
    "سؤال ",
    "\n",
    "It's ",
    "1 < 2 ",
    "a [link](x) ",
]

SCRIPTS = ["pão 🍞 ", "سؤال عن الخبز ", "👩🏽‍🍳🧑‍🍳 ", "面包 ", "שאלה ", "x ", "[k2]. ", "\n", "🇧🇷 ", "também "]


def shown_of(words):
    """What brackets hold is not followed by an address."""
    return "".join(words).replace("](", "] (")


@pytest.fixture
def speaker(settings, monkeypatch):
    """An analyst that says what a test wants, at its pace."""

    class Speaker:
        name, sees = "speaker", False
        pace = 0.0
        words: list[str] = []

        def is_configured(self):
            return True

        def stream(self, messages):
            for word in Speaker.words:
                time.sleep(Speaker.pace)
                yield Piece(text=word)
            yield Piece(end=Completion(text="".join(Speaker.words), provider="speaker", model="speaker-1"))

    monkeypatch.setitem(PROVIDERS, "speaker", Speaker)
    settings.CHAT_PROVIDERS = ["speaker"]
    return Speaker


async def browse(message_id, cuts, drop=lambda shown, body: None):
    """Drop the connection at each of these bytes and come back; all the words that were shown, and how it ended."""
    shown, told = 0, []
    for most in [*cuts, None]:
        body = b""
        async with aclosing(tail.follow(message_id, shown)) as chunks:
            async for chunk in chunks:
                body += chunk
                if most is not None and len(body) >= most:
                    body = body[:most]
                    break
        events = events_in(body)
        told += events
        shown = max([shown, *(int(event_id) for _, event_id, _ in events if event_id)])
        if events and events[-1][0] in ("done", "error"):
            break
        drop(shown, body)
    return told


def tell_each(message_id, words, may_end):
    """A worker, on a thread, that tells each word by itself, writes down a part, and waits before it ends."""

    def work():
        row = ChatMessage.objects.filter(pk=message_id)
        places = [*accumulate(map(len, words), initial=0)]
        try:
            for number, word in enumerate(words):
                tell(message_id, "token", {"text": word, "at": places[number]}, at=places[number + 1])
                if number == PART:
                    row.update(content="".join(words[:PART]))
            assert may_end.wait(20)
            row.update(content="".join(words), status="complete")
            tell(message_id, "done", {}, at=places[-1], last=True)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def is_torn(body):
    """Whether it ends within a letter of several bytes."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return True
    return False


# Of an answer's words those that are written down while it is being given, and of its drops those that come before it
# ends. Within so many bytes there are at most six words, so that there are always more to be told.
PART, LIVE_DROPS, DROPS, LONGEST_VISIT = 12, 8, 10, 350


def drop_and_return(message_id, words, luck):
    """What a browser shows that drops ten times; of each drop how much it had shown, and whether it tore a letter."""
    drops, may_end = [], threading.Event()
    worker = tell_each(message_id, words, may_end)

    def drop(shown, body):
        drops.append((shown, is_torn(body)))
        if len(drops) == LIVE_DROPS:
            may_end.set()
            worker.join()

    cuts = [luck.randint(1, LONGEST_VISIT) for _ in range(DROPS)]
    return asyncio.run(asyncio.wait_for(browse(message_id, cuts, drop), 20)), drops


def test_a_browser_that_drops_anywhere_shows_each_word_once(user):
    """500 drops at random bytes of 50 answers, live and after the end, most of them in the middle of the text."""
    luck = random.Random(7)
    session = session_of(user)
    Plan.objects.update(max_questions_per_day=UNLIMITED)
    middle, torn = [], []
    for _ in range(50):
        words = luck.choices(SCRIPTS, k=100)
        asked = services.ask(user, session.pk, "What?")
        told, drops = drop_and_return(asked, words, luck)
        assert text_in(told) == answer_row(asked).content == "".join(words)
        assert told[-1][0] == "done"
        middle += [0 < shown < len("".join(words)) for shown, _ in drops]
        torn += [tore for _, tore in drops]
    assert (len(middle), len(torn)) == (500, 500)
    assert sum(middle) > 400
    assert sum(torn) > 50


def test_a_browser_that_drops_while_a_worker_answers_shows_each_word_once(user, speaker):
    """Words as a worker tells them: several together, or all of them."""
    luck = random.Random(7)
    session = session_of(user)
    Plan.objects.update(max_questions_per_day=UNLIMITED)
    for turn in range(10):
        speaker.words, speaker.pace = luck.choices(WORDS, k=40), 0.01 * (turn % 2)
        asked = services.ask(user, session.pk, "What?")
        worker = answer_beside(asked)
        cuts = [luck.randint(1, 900) for _ in range(10)]
        told = asyncio.run(asyncio.wait_for(browse(asked, cuts), 20))
        worker.join()
        assert text_in(told) == answer_row(asked).content == shown_of(speaker.words)
        assert told[-1][0] == "done"


def test_whoever_comes_after_the_stream_is_gone_is_told_from_the_row(user, speaker):
    speaker.words = WORDS
    asked = services.ask(user, session_of(user).pk, "What?")
    answering.answer(asked)
    redis.client().flushall()
    assert text_in(watch(asked)) == shown_of(WORDS)
    assert text_in(watch(asked, shown=5)) == shown_of(WORDS)[5:]
    assert watch(asked)[-1][0] == "done"


def test_a_stream_that_is_wiped_in_the_middle_loses_no_word_and_doubles_none(user, speaker):
    speaker.words, speaker.pace = WORDS * 12, 0.02
    asked = services.ask(user, session_of(user).pk, "What?")
    worker = answer_beside(asked)

    async def scenario():
        watching = asyncio.ensure_future(browse(asked, []))
        for _ in range(2):
            await asyncio.sleep(0.8)
            redis.client().flushall()
        return await asyncio.wait_for(watching, 20)

    told = asyncio.run(scenario())
    worker.join()
    assert text_in(told) == answer_row(asked).content == shown_of(speaker.words)
    assert told[-1][0] == "done"


def test_citations_are_told_as_they_come_and_once(user, speaker):
    speaker.words = ["Yes ", "[k", "1] and ", "[c1], [k1], ", "[K2, m", "1]."]
    asked = services.ask(user, session_of(user).pk, "What?")
    answering.answer(asked)
    assert citations_told(asked) == ["k1", "c1", "k2", "m1"]


def test_a_citation_of_what_does_not_exist_is_told_by_neither_the_stream_nor_the_row(user, speaker):
    speaker.words = ["Yes [k99], ", "no [k1]."]
    asked = services.ask(user, session_of(user).pk, "What?")
    answering.answer(asked)
    assert citations_told(asked) == ["k1"]
    redis.client().flushall()
    assert citations_told(asked) == ["k1"]
    assert {"evidence_id": "k99", "known": False, "supported": False} in answer_row(asked).citations


def citations_told(asked):
    return [data["evidence_id"] for name, _, data in watch(asked) if name == "citation"]


def test_a_gap_in_the_stream_is_filled_from_the_row(user):
    asked = services.ask(user, session_of(user).pk, "What?")
    tell(asked, "token", {"text": "three", "at": 8}, at=13)

    async def scenario():
        watching = asyncio.ensure_future(browse(asked, []))
        await asyncio.sleep(0.5)
        row = ChatMessage.objects.filter(pk=asked)
        # Not `aupdate`: the thread that does that keeps its connection after the test.
        await ask_database(lambda: row.update(content="one two three", status="complete"))
        return await asyncio.wait_for(watching, 10)

    assert text_in(asyncio.run(scenario())) == "one two three"


def test_the_stream_of_an_answer_is_forgotten_after_a_while(user, speaker):
    speaker.words = WORDS
    asked = services.ask(user, session_of(user).pk, "What?")
    answering.answer(asked)
    assert 0 < redis.client().ttl(f"stream:{stream_of(asked)}") <= 3600
