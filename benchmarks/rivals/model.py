"""A model server: as cheap as one can be that still is one. What it is to say stands in the question."""

import asyncio
import json
import re
from typing import Any

ORDER = re.compile(r"Say (\d+) words, one each (\d+) ms")


def question(words: int, milliseconds: int) -> str:
    return f"Say {words} words, one each {milliseconds} ms."


def saying(words: int) -> str:
    """What is said."""
    return "".join(f"word{number} " for number in range(words))


async def application(scope: Any, receive: Any, send: Any) -> None:
    words, pause = _order(await _read(receive))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    began, now = asyncio.get_running_loop().time(), asyncio.get_running_loop().time
    await _say(send, {"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]})
    for number in range(words):
        await _say(send, {"choices": [{"index": 0, "delta": {"content": f"word{number} "}, "finish_reason": None}]})
        await asyncio.sleep(began + (number + 1) * pause - now())
    await _say(send, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    await _say(send, {"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": words}})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False})


async def _read(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _order(body: bytes) -> tuple[int, float]:
    asked = json.loads(body)["messages"][-1]["content"] if body else ""
    found = ORDER.search(asked)
    return (int(found[1]), int(found[2]) / 1000) if found else (1, 0.0)


async def _say(send: Any, chunk: dict[str, Any]) -> None:
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "default", **chunk}
    await send({"type": "http.response.body", "body": f"data: {json.dumps(body)}\n\n".encode(), "more_body": True})
