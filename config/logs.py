"""How the service speaks: one line per event on stdout, JSON in production, readable in development."""

import importlib
import logging
from typing import Any

import orjson
import structlog
from celery import current_task
from celery.signals import before_task_publish
from structlog.dev import plain_traceback
from structlog.typing import EventDict, Processor, WrappedLogger

from core.redaction import redacted, redacted_lines

CHATTY = (
    "httpcore",
    "httpx",
    "google_genai",
    "dodopayments",
    "celery.beat",
    "celery.worker.strategy",
    "celery.app.trace",
)
# Whose details are values without names: statements with their parameters, messages with their arguments.
INDISCREET = ("django.db.backends", "celery.pool", "amqp", "kombu")
# Texts of several lines, on purpose.
TRACES = ("exception", "stack")
FIRST = ("timestamp", "level", "logger", "event", "request_id", "task_id")


def name_the_task(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Say which task speaks: its id comes with the context, its name does not."""
    if "task_id" in event and current_task:
        event.setdefault("task", current_task.name)
    return event


def keep_secrets_out(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The last thing done to an event before it is written, whoever it comes from."""
    traces = {name: redacted_lines(event.pop(name)) for name in TRACES if isinstance(event.get(name), str)}
    # What a line is found by comes first: where there is too much, the rest is what is cut.
    first = {name: event[name] for name in FIRST if name in event}
    return {**redacted({**first, **event}), **traces}


def indent_traces(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    # An exception's words may be a stranger's: none of their lines may look like an event.
    for name in TRACES & event.keys():
        event[name] = "\n".join(f"    {line}" for line in event[name].splitlines())
    return event


SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    name_the_task,
]


class LineFormatter(structlog.stdlib.ProcessorFormatter):
    """Writes any record: one whose words and arguments do not fit together is named, and its arguments are not."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            return super().format(record)
        except Exception:  # noqa: BLE001  # whatever it is, a line of a log is not the place to fail
            about = {"name": record.name, "levelname": "ERROR", "levelno": logging.ERROR, "created": record.created}
            return super().format(
                logging.makeLogRecord({**about, "msg": "log_line_unreadable: %s", "args": (record.msg,)})
            )


def logging_config(*, readable: bool, level: str) -> dict[str, Any]:
    """Send structlog's and the standard library's records through the same formatter, and what matters to AppLog."""
    # Otherwise a line that cannot be written, to a closed pipe say, is printed raw on stderr.
    logging.raiseExceptions = False
    _configure_structlog()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": LineFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    keep_secrets_out,
                    *(_readable() if readable else [structlog.processors.JSONRenderer(serializer=_json)]),
                ],
                "foreign_pre_chain": SHARED,
            }
        },
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stdout"},
            "app_log": {"class": "logs.handler.AppLogHandler"},
        },
        "root": {"handlers": ["stdout", "app_log"], "level": level},
        # Django repeats at warning level what the answer already says; its 5xx lines stay.
        # A heartbeat down every queue every few seconds is no news either.
        "loggers": {
            "django.request": {"level": "ERROR"},
            **{name: {"level": "WARNING"} for name in (*CHATTY, *INDISCREET)},
        },
    }


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event).decode()


def _readable() -> list[Processor]:
    # Plain tracebacks: the default prints every local variable, and passwords are local variables somewhere.
    console = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, exception_formatter=plain_traceback)
    return [indent_traces, console]


# One list for good: a logger keeps the one it was first used with.
OURS: list[Processor] = [
    structlog.stdlib.filter_by_level,
    *SHARED,
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]


def _configure_structlog() -> None:
    structlog.configure(
        processors=OURS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


# An event of Sentry's is deeper than a line of ours: frames in traces in exceptions.
SENTRY_DEPTH, SENTRY_SIZE = 12, 400_000


def start_sentry(dsn: str) -> None:
    # The extra is optional, and the start-up check has said so if it is missing.
    sentry = importlib.import_module("sentry_sdk")
    sentry.init(
        dsn=dsn,
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
        before_send=clean_report,
        before_send_transaction=clean_report,
        before_breadcrumb=clean_breadcrumb,
    )
    before_task_publish.connect(carry_trace)


def carry_trace(headers: dict[str, Any], **_: Any) -> None:
    """What a worker does belongs to the trace of who asked for it. Sentry sees to that only around `send_task`."""
    sentry = importlib.import_module("sentry_sdk")
    headers.setdefault("headers", {"sentry-trace": sentry.get_traceparent(), "baggage": sentry.get_baggage()})


def clean_report(report: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """What Sentry may know: what went wrong and where, and under which request it is found in our own records."""
    request = report.get("request", {})
    for name in ("data", "cookies", "env"):
        request.pop(name, None)
    for name in ("user", "server_name"):
        report.pop(name, None)
    known = structlog.contextvars.get_contextvars()
    ids = {name: known[name] for name in ("request_id", "task_id") if name in known}
    clean: dict[str, Any] = redacted(report, deepest=SENTRY_DEPTH, largest=SENTRY_SIZE)
    return {**clean, "tags": {**clean.get("tags", {}), **ids}}


def clean_breadcrumb(breadcrumb: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    clean: dict[str, Any] = redacted(breadcrumb)
    return clean
