"""P14: a thousand who listen at one stream process, while the plain API goes on beside it."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from analysis.chat.models import ChatMessage, ChatSession
from benchmarks import servers
from benchmarks.listening import Heard, listen_to
from benchmarks.load import Wrong, get
from benchmarks.machine import LOAD_CORE, with_children
from benchmarks.measure import Figure, Line
from benchmarks.seed import Person, conversations, people
from benchmarks.servers import Server

STREAMS, WORDS, PAUSE = 1000, 30, 0.5
# How fast they come, before the first word is said.
A_SECOND = 40
LINES = {
    "P14 delay": Line("delay of a word, 95th percentile of each turn of 1,000", "ms", 100, 250),
    "P14 memory": Line("memory of 1,000 streams over the idle process", "MB", 60, 80),
    "P14 API": Line("a detail of the API meanwhile, 95th percentile", "ms", 50, 250),
}


@dataclass(slots=True)
class Seen:
    """What was seen of the machine while they listened."""

    pids: list[int]
    memory: int = 0
    times: list[float] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def look(self, api: Server, person: Person) -> None:
        request = get("/api/accounts/me/", host=settings.ALLOWED_HOSTS[0], token=person.token)
        while not self.ended.wait(0.1):
            start = time.monotonic()
            api.client.fetch([request])
            self.times.append(time.monotonic() - start)
            self.memory = max(self.memory, memory_of(self.pids))


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    port, everybody = servers.free_port(), people()
    words = ["--interface", "asgi", "--workers", "1", "--no-ws", "--workers-kill-timeout", "10"]
    words += ["config.asgi:application"]
    answers = _answers(everybody)
    with servers.only("ours", home) as api, servers.granian("stream", port, words, home) as stream:
        # What it loads with its first stream is no stream's.
        warm = answers.pop()
        ChatMessage.objects.filter(pk=warm[1]).update(status="complete", content="0:0 ", lease_until=None)
        listen_to(port, [_listening(*warm)] * 20, a_second=A_SECOND)
        idle, seen = memory_of(with_children(stream)), Seen(with_children(stream))
        heard = _listen(port, answers, home, seen, api)
    delays = [_late(sorted(turn)) * 1000 for turn in zip(*map(_delays, heard), strict=True)]
    memory, slow = (seen.memory - idle) / 1e6, _late(sorted(seen.times)) * 1000
    return [
        Figure(
            "P14 delay", LINES["P14 delay"], tuple(delays), f"{len(heard)} streams, {WORDS} words each, all in order"
        ),
        Figure("P14 memory", LINES["P14 memory"], (memory,), f"idle {idle / 1e6:.0f} MB"),
        Figure("P14 API", LINES["P14 API"], (slow,), f"{len(seen.times)} requests"),
    ]


def memory_of(pids: list[int]) -> int:
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in pids)


def _answers(everybody: list[Person]) -> list[tuple[Person, UUID]]:
    """Answers that somebody is giving, one more than is asked for."""
    owners = {person.id: person for person in everybody}
    sessions = conversations([*owners], STREAMS // len(owners) + 1)[: STREAMS + 1]
    answers = ChatMessage.objects.bulk_create(
        ChatMessage(
            session_id=session, role="assistant", status="streaming", fence=1, hinted_at=Now(),
            lease_until=Now() + timedelta(hours=1),
        )
        for session in sessions
    )  # fmt: skip
    users = dict(ChatSession.objects.filter(pk__in=sessions).values_list("pk", "user_id"))
    return [(owners[users[answer.session_id]], answer.pk) for answer in answers]


def _listen(
    port: int, answers: list[tuple[Person, UUID]], home: Path, seen: Seen, api: Server
) -> list[Heard]:  # fmt: skip
    plan = {"answers": [str(answer) for _, answer in answers], "words": WORDS, "pause": PAUSE}
    (home / "crowd.json").write_text(json.dumps(plan))
    looking = threading.Thread(target=seen.look, args=(api, answers[0][0]))
    with contextlib.ExitStack() as stack:

        def begin() -> None:
            act = f"from benchmarks.writer import write; write({str(home / 'crowd.json')!r})"
            words = ["django", "shell", "--no-imports", "--command", act]
            stack.enter_context(servers.running_process("writer", words, home, core=LOAD_CORE))
            looking.start()

        try:
            return listen_to(port, (_listening(*each) for each in answers), a_second=A_SECOND, meanwhile=begin)
        finally:
            seen.ended.set()


def _listening(person: Person, answer: UUID) -> bytes:
    request = get(f"/api/analysis/chat/messages/{answer}/stream/", host=settings.ALLOWED_HOSTS[0], token=person.token)
    return request.replace(b"User-Agent", b"Connection: close\r\nUser-Agent")


def _delays(heard: Heard) -> Iterator[float]:
    """Of each word; an answer with a word that is missing, or not in its place, is none."""
    said = [(at, word.decode().partition(":")) for at, word in heard.words]
    if [turn for _, (turn, _, _) in said] != [str(turn) for turn in range(WORDS)]:
        raise Wrong(f"{len(said)} words: {heard.text[:300]} after {heard.head.decode(errors='replace')}")
    return (at - float(moment) for at, (_, _, moment) in said)


def _late(times: list[float]) -> float:
    return times[int(len(times) * 0.95)]
