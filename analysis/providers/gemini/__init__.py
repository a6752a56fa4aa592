"""Google's Gemini, through its own SDK: https://ai.google.dev/gemini-api/docs"""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any, ClassVar

from django.conf import settings
from pydantic import BaseModel

from analysis.providers.contract import Completion, Medium, Message, Piece, Prompt
from analysis.providers.gemini.asking import Asking
from analysis.providers.gemini.hearing import Heard
from analysis.providers.gemini.keys import stream_each, try_each
from analysis.providers.gemini.problems import ShapeRefused
from analysis.providers.gemini.showing import shown
from analysis.providers.shapes import spelled_out, wire_schema

# Thoughts count against it, and an answer that does not fit is paid for and lost.
MOST_TOKENS, MOST_CHAT_TOKENS = 16_384, 8_192
THINKING = {"thinking_config": {"thinking_level": "LOW"}}
# Temperature and its kin stay as they are: Gemini 3 is made for its defaults.

# Models that would not take a schema, while this process lives.
_without_schemas: set[tuple[str, str]] = set()


class Gemini:
    """Sees pictures and videos, answers in our shape."""

    name: ClassVar[str] = "gemini"
    sees: ClassVar[bool] = True
    watches: ClassVar[bool] = True

    def is_configured(self) -> bool:
        return bool(settings.GEMINI_API_KEYS)

    def complete(self, prompt: Prompt, media: Sequence[Medium], schema: type[BaseModel]) -> Completion:
        model = settings.GEMINI_ANALYSIS_MODEL
        ends = time.monotonic() + settings.MODEL_SECONDS

        def ask(key: str) -> Any:
            asking = Asking(key=key, model=model, ends=ends)
            with shown(asking, media) as parts:
                contents = [{"role": "user", "parts": [{"text": prompt.data}, *parts]}]
                return _in_shape(asking, contents, prompt.orders, schema)

        heard = Heard(model=model, operation="complete")
        heard.take(try_each(model, ask))
        return heard.whole()

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:
        model = settings.GEMINI_CHAT_MODEL
        ends = time.monotonic() + settings.MODEL_SECONDS
        config = _config(_orders(messages), MOST_CHAT_TOKENS)

        def speak(key: str) -> Generator[Any]:
            return Asking(key=key, model=model, ends=ends).generate_stream(_turns(messages), config)

        heard = Heard(model=model, operation="stream")
        with closing(stream_each(model, speak)) as chunks:
            for chunk in chunks:
                if words := heard.take(chunk):
                    yield Piece(text=words, model=model)
        yield Piece(end=heard.end())


def _in_shape(asking: Asking, contents: Sequence[Any], orders: str, schema: type[BaseModel]) -> Any:
    """By the schema, or where it is too much for the model, by its description.

    Google does not say which schemas are: the refusal is the one that any mistake meets.
    """
    place = (settings.GEMINI_URL, asking.model)
    as_json = {"response_mime_type": "application/json"}
    if place not in _without_schemas:
        shape = as_json | {"response_json_schema": wire_schema(schema, bounded=False)}
        try:
            return asking.generate(contents, _config(orders, MOST_TOKENS) | shape)
        except ShapeRefused:
            answer = asking.generate(contents, _config(orders + spelled_out(schema), MOST_TOKENS) | as_json)
            _without_schemas.add(place)
            return answer
    return asking.generate(contents, _config(orders + spelled_out(schema), MOST_TOKENS) | as_json)


def _config(orders: str, most: int) -> dict[str, Any]:
    return {"system_instruction": orders or None, "max_output_tokens": most, **THINKING}


def _orders(messages: Sequence[Message]) -> str:
    return "\n\n".join(message.text for message in messages if message.role == "system")


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    roles = {"user": "user", "assistant": "model"}
    return [
        {"role": roles[message.role], "parts": [{"text": message.text}]}
        for message in messages
        if message.role != "system"
    ]
