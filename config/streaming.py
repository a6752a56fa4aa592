"""How a stream is answered: in one go up to its first byte, on a thread that is kept."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from core.streams import close_connections

# Whoever waits for one of these holds nothing yet; whoever has one is done with it before the first byte goes out.
AT_ONCE = 16


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
