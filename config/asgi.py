"""The streams, and the whole API in one process where one process is enough.

Django's own ASGI handler is slow for plain requests, so they go through the WSGI application on threads. Behind a
proxy that sends only the streaming paths here, that half is idle.
"""

import os
import re
from functools import partial
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ["WHYRAL_SERVES"] = "web"

from a2wsgi import WSGIMiddleware

from config.streaming import Streams
from config.wsgi import application as wsgi_application

STREAMING_PATHS = re.compile(r"/api/.+/(events|stream)/")


streams = Streams()
plain = WSGIMiddleware(wsgi_application, workers=16)


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _answer_lifespan(receive, send)
    elif STREAMING_PATHS.fullmatch(scope["path"]):
        await streams(scope, receive, send)
    else:
        await plain(scope, partial(_awaited, receive), send)


async def _awaited(receive: Any) -> Any:
    # a2wsgi needs a coroutine; Granian's `receive` answers a future.
    return await receive()


async def _answer_lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
