"""Any server that speaks OpenAI's protocol: vLLM, Ollama, llama.cpp, or a cloud.

https://platform.openai.com/docs/api-reference/chat, of which only what all of them understand is used. No bound on an
answer's length is sent: its name differs, some servers refuse what does not fit, and the deadline bounds it anyway.
"""

import atexit
import base64
import re
import time
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, ClassVar

import httpx
from django.conf import settings
from pydantic import BaseModel

from analysis.providers.contract import Completion, Medium, Message, Piece, Prompt
from analysis.providers.openai_compatible.reading import (
    Heard,
    ShapeRefused,
    chunks_of,
    error_in,
    problem_of,
    units_of,
    whole_of,
)
from analysis.providers.shapes import spelled_out, wire_schema
from core.addresses import DEFAULT_PORTS, Network
from core.errors import NotConfigured, VendorTimeout, VendorUnavailable
from core.http import Door
from core.vendors import Vendor

# Words that come faster than this are read together; how often they are told says analysis.chat.stream.
GATHER_SECONDS = 0.05
VERSION = re.compile(r"/v\d\w*(/|$)")
vendor = Vendor("openai_compatible")
# Servers and models that take no schema, while this process lives.
_without_schemas: set[tuple[str, str]] = set()


class OpenAICompatible:
    """Answers in our shape as far as the server can promise that; sees where it is said to."""

    name: ClassVar[str] = "openai_compatible"
    watches: ClassVar[bool] = False  # the protocol has no word for videos

    @property
    def sees(self) -> bool:
        return bool(settings.SELF_HOSTED_LLM_SEES)

    def is_configured(self) -> bool:
        return bool(settings.SELF_HOSTED_LLM_URL)

    def complete(self, prompt: Prompt, media: Sequence[Medium], schema: type[BaseModel]) -> Completion:
        said = [*_text(prompt.data), *_pictures(media if self.sees else [])]
        heard = _heard("complete")
        heard.take(_in_shape(prompt.orders, said, schema, ends=time.monotonic() + settings.MODEL_SECONDS))
        return heard.whole()

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:
        heard = _heard("stream")
        asked = {
            "messages": [{"role": message.role, "content": message.text} for message in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        with vendor.spared(), _door(settings.SELF_HOSTED_LLM_URL).stream(**_call("stream", asked)) as incoming:
            if incoming.status >= 400:
                raise _problem(incoming.status, incoming.read().body)
            for body in chunks_of(incoming):
                words = heard.take(body)
                incoming.units.update(heard.tokens.units)
                if words:
                    # The first went out at once. A worker that wakes up for each of the others does little else.
                    incoming.trip.gather = GATHER_SECONDS
                    yield Piece(text=words, model=heard.model)
            if not heard.stopped:
                raise VendorUnavailable(details={"problem": "The stream ended before the answer did."})
        yield Piece(end=heard.end())


def _in_shape(orders: str, said: list[dict[str, Any]], schema: type[BaseModel], *, ends: float) -> Any:
    """By the schema, which not every server takes, or as any JSON, with the schema in words."""
    place = (settings.SELF_HOSTED_LLM_URL, settings.SELF_HOSTED_LLM_MODEL)
    in_words = {"response_format": {"type": "json_object"}, **_messages(orders + spelled_out(schema), said)}
    if place in _without_schemas:
        return _ask(in_words, ends)
    shape = {"name": schema.__name__, "strict": True, "schema": wire_schema(schema, bounded=True)}
    try:
        by_schema = {"response_format": {"type": "json_schema", "json_schema": shape}, **_messages(orders, said)}
        return _ask(by_schema, ends)
    except ShapeRefused:
        answer = _ask(in_words, ends)
        _without_schemas.add(place)
        return answer


def _ask(asked: dict[str, Any], ends: float) -> Any:
    with vendor.spared():
        if (left := ends - time.monotonic()) <= 0:
            raise VendorTimeout(details={"seconds": settings.MODEL_SECONDS})
        call = _call("complete", asked) | {"units": units_of, "timeout": left, "read_timeout": left}
        answer = _door(settings.SELF_HOSTED_LLM_URL).request(**call)
        if answer.status >= 400:
            raise _problem(answer.status, answer.body)
        return whole_of(answer)


def _call(operation: str, asked: dict[str, Any]) -> dict[str, Any]:
    key = settings.SELF_HOSTED_LLM_KEY
    return {
        "vendor": vendor.name,
        "operation": operation,
        "model": settings.SELF_HOSTED_LLM_MODEL,
        "method": "POST",
        "url": f"{_base(settings.SELF_HOSTED_LLM_URL)}/chat/completions",
        "headers": {"authorization": f"Bearer {key}"} if key else {},
        "json": {"model": settings.SELF_HOSTED_LLM_MODEL, **asked},
        # The first call loads the model, and a long prompt is read in silence.
        "timeout": settings.MODEL_SECONDS,
        "read_timeout": settings.MODEL_SECONDS,
    }


def _base(url: str) -> str:
    """With the version of the protocol in its path, where the operator did not say one."""
    return url if VERSION.search(_parsed(url).path) else f"{url}/v1"


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in DEFAULT_PORTS:
        raise NotConfigured("SELF_HOSTED_LLM_URL is no http address.")
    return parsed


@cache
def _door(url: str) -> Door:
    """A door of its own, because such a server mostly stands on a private address.

    It leads to exactly the host and port that the operator has set, and only this module holds it: what users and
    vendors bring along goes through the common door, over connections of its own, and stays locked out there.
    """
    parsed = _parsed(url)
    host = parsed.netloc.decode("ascii")
    pair = host if parsed.port else f"{host}:{DEFAULT_PORTS[parsed.scheme]}"
    network = Network(allowed={pair})
    atexit.register(network.close)
    return Door(network=network)


def _messages(orders: str, said: list[dict[str, Any]]) -> dict[str, Any]:
    # Where there is nothing but words, they go as a plain string: not every server reads parts.
    content = said if len(said) > 1 else said[0]["text"]
    return {"messages": [{"role": "system", "content": orders}, {"role": "user", "content": content}]}


def _text(words: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": words}]


def _pictures(media: Sequence[Medium]) -> Iterator[dict[str, Any]]:
    for medium in media:
        if medium.data and medium.media_type.startswith("image/"):
            yield from _text(f"Evidence {medium.evidence_id}:")
            data = base64.b64encode(medium.data).decode("ascii")
            yield {"type": "image_url", "image_url": {"url": f"data:{medium.media_type};base64,{data}"}}


def _problem(status: int, body: bytes) -> Exception:
    return problem_of(status, error_in(body), model=settings.SELF_HOSTED_LLM_MODEL, key=settings.SELF_HOSTED_LLM_KEY)


def _heard(operation: str) -> Heard:
    return Heard(model=settings.SELF_HOSTED_LLM_MODEL, operation=operation, key=settings.SELF_HOSTED_LLM_KEY)
