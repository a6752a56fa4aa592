"""The API, in processes that die of a request when all of it is committed, and before its first message is sent."""

import os
import signal
import threading
from collections.abc import Callable, Iterable
from typing import Any

from celery.signals import before_task_publish

from config.wsgi import application as api

_turn = threading.local()
# Of a webhook the workers are told by another thread, when it is answered.
_doomed = threading.Event()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    _turn.is_last = "HTTP_X_DRILL_DIES" in environ
    if _turn.is_last and "/webhook/" in environ["PATH_INFO"]:
        _doomed.set()
    return api(environ, start_response)


@before_task_publish.connect
def die(**_: Any) -> None:
    # In the thread of the request: messages are sent on commit.
    if getattr(_turn, "is_last", False) or _doomed.is_set():
        os.kill(os.getpid(), signal.SIGKILL)
