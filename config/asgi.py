"""The streams, and the whole API in one process where one process is enough.

Django's own ASGI handler is slow for plain requests, so they go through the WSGI application on threads. Behind a
proxy that sends only the streaming paths here, that half is idle.
"""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ["WHYRAL_SERVES"] = "web"

from a2wsgi import WSGIMiddleware
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config.wsgi import application as wsgi_application
from core.streams import close_connections

# Whoever waits for one of these holds nothing yet; whoever has one is done with it before the first byte goes out.
AT_ONCE = 16
STREAMING_PATHS = re.compile(r"/api/.+/(events|stream)/")


class Streams(ASGIHandler):
    """Everything before the first byte in one go, on a thread that is kept; only the stream itself is async.

    Our middleware and views are sync, so Django would go to a thread and back for every one of them (measured: half of
    what a question costs this process), make a thread for each request, and on it a connection to the database.
    """

    def __init__(self) -> None:
        super().__init__()
        self.threads = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="streams")

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # Without the context in which Django keeps a thread for the request.
        await self.handle(scope, receive, send)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self._answer, thread_sensitive=False, executor=self.threads)(request)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        try:
            return self.get_response(request)
        finally:
            # Django's own ending of a request happens on another thread.
            close_connections()


streams = Streams()
plain = WSGIMiddleware(wsgi_application, workers=16)  # type: ignore[arg-type]


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
