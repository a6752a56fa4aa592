"""Drill 29: answers that are being given, while browsers leave, and workers, servers, Redis and models die."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.db.models import QuerySet, Sum

from accounts.identity.local import start_session
from accounts.models import UNLIMITED, Plan, User, UserUsage
from accounts.usage import get_user_plan
from analysis.chat import sweeping
from analysis.chat.models import ChatMessage
from benchmarks.drills import ground
from benchmarks.drills.browsers import Browser, Crowd
from benchmarks.drills.drill import Outcome, Scene
from benchmarks.drills.fleet import Fleet, fleet, until
from benchmarks.drills.outages import end_redis, start_redis
from benchmarks.drills.served import Server
from benchmarks.drills.simulated import Plan as Simulation
from benchmarks.seed import conversations
from core import redis
from sandbox.openai_compatible import OpenAICompatibleSandbox

THREADS = ("--queues", "chat", "--pool", "threads", "--concurrency", "32")
# No answer may be open for longer, whatever died.
PATIENCE = 60.0
PACE, WORDS = 0.04, 100
# Letters of one to four bytes, signs made of several, and text from right to left.
TEXT = "".join(f"{number} palavras são 👩🏽🍞🇧🇷 سؤال. " for number in range(WORDS // 5))


@dataclass
class House:
    """Everything that has to do with an answer, as processes of their own."""

    scene: Scene
    folder: Path
    crew: Fleet
    model: OpenAICompatibleSandbox
    user: User
    stream: Server

    def browsers(self, count: int, *, slow: int = 0) -> list[Browser]:
        token = start_session(self.user).access
        sessions = conversations([self.user.pk], count)
        return [Browser(lambda: self.stream.port, token, each, slow=at < slow) for at, each in enumerate(sessions)]

    def wait(self, *crowds: Crowd) -> float:
        """To the end of every answer, with the sweeper that beat would send, and whoever starts again what has died."""

        def is_quiet() -> bool:
            self.crew.restart_dead()
            sweeping.sweep()
            return all(crowd.has_ended() for crowd in crowds) and not _open().exists()

        return round(until(is_quiet, seconds=PATIENCE, what="the end of the last answer", pause=0.5), 1)


@contextlib.contextmanager
def _house(scene: Scene, name: str) -> Iterator[House]:
    with ground.fresh(scene.home, name) as folder, OpenAICompatibleSandbox(port=scene.vendor_port) as model:
        model.says, model.token_delay = TEXT, PACE
        user = ground.make_user()
        Plan.objects.filter(pk=get_user_plan(user).pk).update(max_questions_per_day=UNLIMITED)
        with fleet(scene.nursery, folder, Simulation()) as crew:
            crew.start("chat", *THREADS)
            with Server(folder, serves="config.asgi:application", words=("--interface", "asgi")) as stream:
                yield House(scene, folder, crew, model, user, stream)


def leave(scene: Scene) -> Outcome:
    """29: browsers that leave in mid-word and come back, and some that read slowly."""
    answers, cuts, slow = scene.size(full=50, short=12), 10, scene.size(full=20, short=4)
    chance = scene.chance()
    with _house(scene, "leave") as house:
        before = _listeners()
        browsers = house.browsers(answers, slow=slow)
        crowd = Crowd(browsers, lambda: [chance.randint(100, 900) for _ in range(cuts)])
        seconds = house.wait(crowd)
        outcome = _conclude(browsers, complete=answers, seconds=seconds)
        outcome.facts["disconnects"] = sum(each.visits - 1 for each in browsers)
        until(lambda: _listeners() <= before, seconds=10, what="the end of the last reader's connection to Redis")
    return outcome


def kill_worker(scene: Scene) -> Outcome:
    """29: kill -9 of the worker in mid-answer: what was shown is kept, and paid for only where something was."""
    with _house(scene, "chat-worker") as house:
        silent = Crowd(_in_silence(house, house.browsers(2)))
        until(lambda: len(house.model.calls) == 2, seconds=30, what="two questions that the model is silent about")
        talking = Crowd(house.browsers(scene.size(full=20, short=6)))
        until(lambda: talking.has_heard(50), seconds=30, what="the first words")
        house.crew.kill("chat")
        house.crew.start("chat", *THREADS)
        seconds = house.wait(silent, talking)
        outcome = _conclude(silent.browsers + talking.browsers, complete=0, seconds=seconds)
        outcome.require(not any(each.text for each in silent.browsers), "somebody was shown what nobody said")
        _ask_once_more(house, outcome)
    return outcome


def kill_stream(scene: Scene) -> Outcome:
    """29: the stream process is killed and started again: the browsers go on where they were."""
    with _house(scene, "chat-stream") as house:
        crowd = Crowd(house.browsers(scene.size(full=20, short=8)))
        for heard in (50, 200):
            until(lambda: crowd.has_heard(heard), seconds=30, what="words")  # noqa: B023
            house.stream.kill()
            house.stream.start()
        seconds = house.wait(crowd)
        return _conclude(crowd.browsers, complete=len(crowd.browsers), seconds=seconds)


def kill_chat_redis(scene: Scene) -> Outcome:
    """29: Redis dies in mid-answer, with all it knew, and questions are asked while it is away."""
    with _house(scene, "chat-redis") as house:
        crowd = Crowd(house.browsers(scene.size(full=20, short=8)))
        until(lambda: crowd.has_heard(50), seconds=30, what="the first words")
        end_redis(scene.home)
        late = Crowd(house.browsers(4))
        time.sleep(2.0)
        start_redis(scene.home)
        seconds = house.wait(crowd, late)
        browsers = crowd.browsers + late.browsers
        return _conclude(browsers, complete=len(browsers), seconds=seconds)


def kill_model(scene: Scene) -> Outcome:
    """29: the model's server dies in mid-answer, and is away for those who ask then."""
    with _house(scene, "chat-model") as house:
        crowd = Crowd(house.browsers(scene.size(full=20, short=6)))
        until(lambda: crowd.has_heard(50), seconds=30, what="the first words")
        house.model.stop()
        late = Crowd(house.browsers(2))
        seconds = house.wait(crowd, late)
        outcome = _conclude(crowd.browsers + late.browsers, complete=0, seconds=seconds)
        house.model.start()
        # Its breaker may be open: that is no matter of the chat.
        redis.client().flushall()
        _ask_once_more(house, outcome)
    return outcome


def _in_silence(house: House, browsers: list[Browser]) -> list[Browser]:
    house.model.fail("chat", delay=PATIENCE * 2, times=len(browsers))
    return browsers


def _ask_once_more(house: House, outcome: Outcome) -> None:
    crowd = Crowd(house.browsers(1))
    house.wait(crowd)
    outcome.require(crowd.browsers[0].text == TEXT, "the next question was not answered")


def _conclude(browsers: list[Browser], *, complete: int, seconds: float) -> Outcome:
    """Hold what was shown against what is stored, and what is stored against what was paid."""
    answers = [each.answer for each in browsers]
    states = [answer.status if answer else "missing" for answer in answers]
    outcome = Outcome({"seconds": seconds, **{state: states.count(state) for state in sorted({*states})}})
    for browser, answer in zip(browsers, answers, strict=True):
        outcome.broken += browser.wrong[:3]
        outcome.require(bool(browser.ending), "a browser was never told the end")
        kept = answer.content if answer else ""
        outcome.require(browser.text == kept, f"shown {browser.text[-60:]!r}, kept {kept[-60:]!r}")
        outcome.require(TEXT.startswith(kept), f"nobody said {kept[-60:]!r}")
    outcome.require(states.count("complete") == complete, f"{complete} answers should be complete: {states}")
    paid = UserUsage.objects.aggregate(total=Sum("questions_asked"))["total"] or 0
    owed = sum(bool(answer and answer.content) for answer in answers)
    outcome.require(paid == owed, f"{paid} units are used, {owed} answers said something")
    return outcome


def _open() -> QuerySet[ChatMessage]:
    return ChatMessage.objects.filter(status=ChatMessage.Status.STREAMING)


def _listeners() -> int:
    return sum(client["cmd"].startswith("xread") for client in redis.client().client_list())
