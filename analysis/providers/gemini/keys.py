"""Several keys: which of them may be asked, and which rest, for all workers together, in Redis.

A key whose quota is used up rests for that model, a key that is refused rests for all. Limits are Google's per project,
so only keys of different projects help each other. Redis knows a key by its hash only.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any, TypeVar

import structlog
from django.conf import settings

from analysis.providers.gemini.problems import KeyRefused, KeyTired
from core import redis
from core.errors import NotConfigured, Problem, VendorBusy, VendorRefused, VendorUnavailable
from core.throttling import digest
from core.vendors import Vendor

REFUSED_SECONDS = 3600.0
# Not shorter than another worker was told, at the same moment too: the day's quota outlasts the minute's.
REST = """
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], 1, 'PX', ARGV[1]) end
return 0
"""
T = TypeVar("T")

log = structlog.get_logger(__name__)
vendor = Vendor("gemini")


def try_each(model: str, act: Callable[[str], T]) -> T:
    """What `act` makes of the first key that is awake and is taken."""
    for number, key in _awake(model):
        with vendor.spared():
            # Inside: a tired key is no failure of the vendor's, and must not close it to the other keys.
            try:
                return act(key)
            except (KeyTired, KeyRefused) as told:
                _heed(told, number, key, model)
    raise _nobody(model)


def stream_each(model: str, act: Callable[[str], Generator[T]]) -> Generator[T]:
    """The same, as it comes: the turn is held to the end, and once one has begun to speak nobody takes over."""
    for number, key in _awake(model):
        has_begun, problem = False, None
        with vendor.spared():
            try:
                with closing(act(key)) as pieces:
                    for piece in pieces:
                        has_begun = True
                        yield piece
                return
            except (KeyTired, KeyRefused) as told:
                _heed(told, number, key, model)
                problem = told
        if has_begun and problem:
            raise problem
    raise _nobody(model)


def _awake(model: str) -> Iterator[tuple[int, str]]:
    for number, key in enumerate(settings.GEMINI_API_KEYS, start=1):
        if max(_rests(key, model)) <= 0:
            yield number, key


def _heed(told: KeyTired | KeyRefused, number: int, key: str, model: str) -> None:
    if isinstance(told, KeyTired):
        _rest(_tired(key, model), told.retry_after or 0.0)
        log.info("gemini_key_tired", number=number, model=model, seconds=told.retry_after)
    else:
        _rest(_refused(key), REFUSED_SECONDS)
        log.warning("gemini_key_refused", number=number, said=told.details.get("said"))


def _nobody(model: str) -> Problem:
    rests = [_rests(key, model) for key in settings.GEMINI_API_KEYS]
    if not rests:
        return NotConfigured(details={"setting": "GEMINI_API_KEY"})
    if all(refused > 0 for refused, _ in rests):
        return VendorRefused("Gemini takes none of the keys.", details={"keys": len(rests)})
    soonest = min(max(rest) for rest in rests)
    return VendorBusy(retry_after=max(soonest, 1.0), details={"keys": len(rests), "problem": "all rest"})


def _rests(key: str, model: str) -> tuple[float, float]:
    """How long it rests because it was refused, and because it is tired."""
    names = (_refused(key), _tired(key, model))
    found: Any = _ask(lambda connection: [connection.pttl(name) for name in names])
    refused, tired = (max(milliseconds, 0) / 1000 for milliseconds in found)
    return refused, tired


def _rest(name: str, seconds: float) -> None:
    milliseconds = max(int(seconds * 1000), 1)
    try:
        redis.evaluate(REST, [name], milliseconds)
    except redis.RedisAway as away:
        raise VendorUnavailable(retry_after=redis.REST_SECONDS) from away


def _refused(key: str) -> str:
    return f"gemini:refused:{digest(key)}"


def _tired(key: str, model: str) -> str:
    return f"gemini:tired:{digest(key)}:{model}"


def _ask(question: Callable[[Any], Any]) -> Any:
    try:
        return redis.ask(question)
    except redis.RedisAway as away:
        raise VendorUnavailable(retry_after=redis.REST_SECONDS) from away
