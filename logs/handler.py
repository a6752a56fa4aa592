"""From ordinary log calls to rows of AppLog: through a spool, so that nobody waits, and never at the speaker's cost.

A row is made of what warns, and of what says its `category` at any level. The rest stays on stdout, its first home.
"""

import logging
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from django.conf import settings

from core.ids import uuid7
from core.redaction import redacted, redacted_lines
from core.spool import Spool, SpoolFull

COLUMNS = ("id", "created_at", "level", "category", "logger", "message", "metadata", "request_id", "task_id")
CATEGORIES = frozenset({"AUTH", "SCRAPE", "API", "ANALYSIS", "BILLING", "SYSTEM"})
# By the name of the logger, or its beginning; the first that fits. All others are SYSTEM.
CATEGORY_OF = {
    "accounts": "AUTH",
    "core.throttling": "AUTH",
    "social": "SCRAPE",
    "analysis": "ANALYSIS",
    "billing": "BILLING",
    "core.api": "API",
    "django.request": "API",
}
# They speak while a row is written or shipped; a row about that would bring about the next. The last says of a task
# that failed what is said already, with its arguments.
SILENT = (
    "core.spool",
    "logs.handler",
    "logs.shipper",
    "logs.segments",
    "psycopg",
    "django.db.backends",
    "celery.app.trace",
)
# Columns of their own, or of no use a day later.
ELSEWHERE = {"event", "level", "logger", "timestamp", "category", "request_id", "task_id", "exc_info", "stack_info"}
LONGEST = {"logger": 100, "message": 2000, "id": 64}
# With a full spool nobody tries again before this.
REST_SECONDS = 1.0

logger = structlog.get_logger(__name__)


class AppLogHandler(logging.Handler):
    """Writes what it is worth keeping of a record; what cannot be written is counted, and the count is said later."""

    def __init__(self) -> None:
        super().__init__()
        self.spool = Spool("logs_applog", COLUMNS)
        self.dropped = 0
        self.rests_until = 0.0
        self.here = threading.local()

    def createLock(self) -> None:  # noqa: N802  # logging's own name
        # The spool has what locks it needs. One around it would be held while somebody waits for a disk.
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(self.here, "writing", False) or not settings.configured or not is_worth_keeping(record):
            return
        self.here.writing = True
        try:
            self._write(record)
        except (SpoolFull, OSError):
            self._rest()
        except Exception:  # noqa: BLE001  # a log call must not fail, and here it cannot be said why
            self.dropped += 1
        finally:
            self.here.writing = False
        if self.dropped and time.monotonic() >= self.rests_until:
            self._tell()

    def _write(self, record: logging.LogRecord) -> None:
        if time.monotonic() < self.rests_until:
            self.dropped += 1
        # What is kept in reserve is for the rows of requests that are under way.
        elif self.spool.has_room():
            self.spool.append(row_of(record))
        else:
            self._rest()

    def _rest(self) -> None:
        self.dropped += 1
        self.rests_until = time.monotonic() + REST_SECONDS

    def _tell(self) -> None:
        dropped, self.dropped = self.dropped, 0
        telling = logging.LogRecord(__name__, logging.WARNING, "", 0, "app_log_lines_dropped: %d", (dropped,), None)
        try:
            self.spool.append(row_of(telling))
        except Exception:  # noqa: BLE001  # the same
            self.dropped += dropped
            self.rests_until = time.monotonic() + REST_SECONDS
        else:
            logger.warning("app_log_lines_dropped", lines=dropped)


def is_worth_keeping(record: logging.LogRecord) -> bool:
    if record.name.startswith(SILENT):
        return False
    return record.levelno >= logging.WARNING or _said_category(record) is not None


def _said_category(record: logging.LogRecord) -> Any:
    # With structlog it is a key like any other, with the standard library `extra={"category": ...}`.
    return record.msg.get("category") if isinstance(record.msg, Mapping) else getattr(record, "category", None)


def row_of(record: logging.LogRecord) -> tuple[Any, ...]:
    """The values of the columns, in their order."""
    event = _event_of(record)
    return (
        uuid7(),
        datetime.fromtimestamp(record.created, UTC).isoformat(),
        _level(record.levelno),
        category_of(_said_category(record), record.name),
        redacted(record.name)[: LONGEST["logger"]],
        redacted(str(event["event"]))[: LONGEST["message"]],
        _metadata(event),
        redacted(str(event.get("request_id", "")))[: LONGEST["id"]],
        redacted(str(event.get("task_id", "")))[: LONGEST["id"]],
    )


def _event_of(record: logging.LogRecord) -> Mapping[str, Any]:
    """What structlog, or anybody with the standard library, said; with the context it was said in."""
    context = structlog.contextvars.get_contextvars()
    if isinstance(record.msg, Mapping):
        event = {"event": "", **context, **record.msg}
    else:
        event = {**context, "event": _words_of(record), "exc_info": record.exc_info}
    return structlog.processors.format_exc_info(logger, record.levelname, event)


def _words_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # words and arguments that do not fit together are a fault to be found
        return f"log_line_unreadable: {record.msg}"


def category_of(said: Any, name: str) -> str:
    if said in CATEGORIES:
        return str(said)
    return next((category for start, category in CATEGORY_OF.items() if f"{name}.".startswith(f"{start}.")), "SYSTEM")


def _level(number: int) -> str:
    # Levels of somebody's own count as the one below.
    steps = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO)
    return next((logging.getLevelName(step) for step in steps if number >= step), "DEBUG")


def _metadata(event: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in event.items() if name not in ELSEWHERE}
    trace = rest.pop("exception", None)
    safe = redacted(rest)
    if trace:
        safe["exception"] = redacted_lines(str(trace))
    return orjson.dumps(safe).decode()
