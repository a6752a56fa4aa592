"""How a stream is answered: in one go up to its first byte, on a thread that is kept."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from core.streams import close_connections

# Whoever waits for one of these holds nothing yet; whoever has one is done with it before the first byte goes out.
AT_ONCE = 16


class Bounded:
    """A body as it comes in, cut right behind the most that one may have: whoever parses it sees that it is too large.

    Django keeps all of it, on the disk where it is large, before anybody asks who sends it.
    """

    def __init__(self, receive: Any) -> None:
        self.receive, self.room, self.is_over = receive, settings.MAX_BODY_BYTES + 1, False

    async def __call__(self) -> Any:
        message = await self.receive()
        # What comes behind the cut is of no use to anybody.
        while self.is_over and message["type"] == "http.request":
            message = await self.receive()
        return self._cut(message) if message["type"] == "http.request" else message

    def _cut(self, message: Any) -> Any:
        body = message.get("body", b"")[: self.room]
        self.room -= len(body)
        self.is_over = not (self.room and message.get("more_body", False))
        return {"type": "http.request", "body": body, "more_body": not self.is_over}


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
        await self.handle(scope, Bounded(receive), send)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self._answer, thread_sensitive=False, executor=self.threads)(request)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        try:
            return self.get_response(request)
        finally:
            # Django's own ending of a request happens on another thread.
            close_connections()
