"""P11 to P13: what an answer costs that goes through the service, against the same answer from the model itself."""

import contextlib
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from accounts.models import Plan
from accounts.usage import FREE
from analysis.chat import recall
from analysis.chat.models import ChatMessage, ChatSession
from benchmarks import servers
from benchmarks.listening import Heard, listen_to
from benchmarks.load import Wrong
from benchmarks.machine import LOAD_CORE, cpu_of, with_children
from benchmarks.measure import Figure, Line, rounds
from benchmarks.rivals.model import question, saying
from benchmarks.seed import Person, conversations, people

ROUNDS, A_SECOND = 7, 20
SESSIONS_EACH = 4
POOL = 8  # connections to PostgreSQL, as a stream process has them by default
THREADS = 48  # more than there are answers at a time: waiting for a thread is not what is measured
# Words of an answer, milliseconds between them, and how many are asked for in a round. Long ones last 1.7 seconds, so
# that 34 are live at a time.
SHORT, LONG, STEADY = (20, 25, 80), (20, 85, 120), (300, 20, 20)
LINES = {
    "P11 median": Line("time to the first word, added to the model's own", "ms", 8, 15),
    "P11 p95": Line("the same, 95th percentile", "ms", 20, 40),
    "P12 median": Line("the same, 4 times more streams than connections", "ms", 10, 20),
    "P12 p95": Line("the same, 95th percentile", "ms", 40, 60),
    "P13": Line("CPU of a relayed word / of the model's word", "x CPU", 2.6, 5),
}


@dataclass(frozen=True, slots=True)
class Relay:
    """The service, the model behind it, and who asks."""

    model_port: int
    port: int
    model: list[int]
    service: list[int]
    asks: Iterator[tuple[Person, ChatSession]]

    def relayed(self, say: str) -> bytes:
        person, session = next(self.asks)
        path = f"/api/analysis/chat/sessions/{session.pk}/messages/stream/"
        return _post(path, {"content": say}, f"Authorization: Bearer {person.token}", "X-Forwarded-Proto: https")

    def direct(self, say: str) -> bytes:
        """Word for word what a worker asks."""
        _, session = next(self.asks)
        dossier = recall.dossier_of(session.post_analysis)
        system, *_ = recall.messages_for(ChatMessage(session=session), session.post_analysis, dossier)
        messages = [{"role": "system", "content": system.text}, {"role": "user", "content": say}]
        return _post("/v1/chat/completions", {"model": "default", "messages": messages, "stream": True})


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    with running(home) as relay:
        figures = _first_words(relay, "P11", SHORT) if "P11" in wanted else []
        figures += _first_words(relay, "P12", LONG) if "P12" in wanted else []
        return figures + ([_cost_of_words(relay)] if "P13" in wanted else [])


@contextlib.contextmanager
def running(home: Path) -> Iterator[Relay]:
    """A model, the stream process and the worker of a deployment."""
    model_port, port = servers.free_port(), servers.free_port()
    environment: dict[str, Any] = {
        "SELF_HOSTED_LLM_URL": f"http://127.0.0.1:{model_port}", "SELF_HOSTED_LLM_REQUESTS_PER_MINUTE": "100000000",
        "CHAT_PROVIDERS": "openai_compatible", "DB_POOL_SIZE": str(POOL),
    }  # fmt: skip
    asgi = ["--interface", "asgi", "--workers", "1", "--no-ws", "--workers-kill-timeout", "10"]
    worker = ["celery", "--app", "config", "worker", "--queues", "chat", "--pool", "threads", "--without-gossip"]
    worker += ["--concurrency", str(THREADS), "--without-mingle", "--loglevel", "WARNING"]
    with contextlib.ExitStack() as stack:
        model = ["--interface", "asginl", "--workers", "1", "--no-ws", "benchmarks.rivals.model:application"]
        speaker = stack.enter_context(servers.granian("model", model_port, model, home, core=LOAD_CORE))
        stream = stack.enter_context(
            servers.granian("stream", port, [*asgi, "config.asgi:application"], home, **environment)
        )
        answerer = stack.enter_context(servers.running_process("chat", worker, home, **environment))
        relay = Relay(model_port, port, with_children(speaker), [*with_children(stream), answerer.pid], _asks())
        _warm_up(relay)
        yield relay


def _asks() -> Iterator[tuple[Person, ChatSession]]:
    """Each session in turn: whoever asks again has been answered long ago."""
    Plan.objects.filter(slug=FREE).update(max_questions_per_day=1_000_000)
    owners = {person.id: person for person in people()}
    made = conversations([*owners], SESSIONS_EACH)
    sessions = list(ChatSession.objects.select_related("post_analysis").filter(pk__in=made))
    pairs = [(owners[session.user_id], session) for session in sessions]
    return (pairs[number % len(pairs)] for number in count())


def _warm_up(relay: Relay) -> None:
    for a_second in (1, A_SECOND / 4, A_SECOND / 2):
        _listen(relay.port, relay.relayed, (2, 1, int(4 * a_second)), a_second=a_second)
        _listen(relay.model_port, relay.direct, (2, 1, int(4 * a_second)), a_second=a_second)


def _first_words(relay: Relay, name: str, answers: tuple[int, int, int]) -> list[Figure]:
    def ask(ask_for: Callable[[str], bytes], port: int) -> Callable[[], list[float]]:
        return lambda: sorted(heard.seconds_to_first for heard in _listen(port, ask_for, answers, a_second=A_SECOND))

    taken = rounds({"ours": ask(relay.relayed, relay.port), "model": ask(relay.direct, relay.model_port)}, count=ROUNDS)
    figures = []
    for what, of in (("median", statistics.median), ("p95", _late)):
        each = {side: [of(times[side]) * 1000 for times in taken] for side in ("ours", "model")}
        added = tuple(ours - model for ours, model in zip(each["ours"], each["model"], strict=True))
        detail = ", ".join(f"{side} {statistics.median(values):.1f} ms" for side, values in each.items())
        figures.append(Figure(f"{name} {what}", LINES[f"{name} {what}"], added, detail))
    return figures


def _cost_of_words(relay: Relay) -> Figure:
    sides = {
        "ours": lambda: _cost_of_word(relay.port, relay.relayed, relay.service),
        "model": lambda: _cost_of_word(relay.model_port, relay.direct, relay.model),
    }
    taken = rounds(sides, count=ROUNDS)
    costs = ", ".join(f"{side} {statistics.median(each[side] for each in taken):.0f} us" for side in sides)
    return Figure("P13", LINES["P13"], tuple(each["ours"] / each["model"] for each in taken), costs)


def _cost_of_word(port: int, ask: Callable[[str], bytes], pids: list[int]) -> float:
    """Microseconds, while all that were asked speak and nobody asks."""
    seen: list[tuple[float, float]] = []

    def look() -> None:
        for pause in (1.0, 3.0):
            time.sleep(pause)
            seen.append((time.monotonic(), cpu_of(pids)))

    looking = threading.Thread(target=look)
    answers = _listen(port, ask, STEADY, a_second=A_SECOND * 2, meanwhile=looking.start)
    looking.join()
    (begin, before), (end, after) = seen
    words = sum(word.count(b" ") for heard in answers for at, word in heard.words if begin <= at < end)
    return (after - before) / words * 1e6


def _listen(
    port: int, ask: Callable[[str], bytes], answers: tuple[int, int, int], *, a_second: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[Heard]:  # fmt: skip
    words, pause, times = answers
    requests = [ask(question(words, pause)) for _ in range(times)]
    heard = listen_to(port, requests, a_second=a_second, meanwhile=meanwhile)
    for each in heard:
        if each.text != saying(words):
            raise Wrong(f"{each.text[:200]!r} after {each.head.decode(errors='replace')}")
    return heard


def _post(path: str, body: object, *headers: str) -> bytes:
    content = orjson.dumps(body)
    lines = [f"POST {path} HTTP/1.1", f"Host: {settings.ALLOWED_HOSTS[0]}", "Content-Type: application/json", *headers]
    lines += [f"Content-Length: {len(content)}", "Connection: close", "X-Forwarded-For: 192.0.2.7"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def _late(times: list[float]) -> float:
    return times[int(len(times) * 0.95)]
