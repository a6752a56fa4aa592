"""How the service speaks: one line per event on stdout, JSON in production, readable in development."""

import importlib
from typing import Any

import structlog
from structlog.dev import plain_traceback
from structlog.typing import Processor

CHATTY = ("httpcore", "celery.beat", "celery.worker.strategy", "celery.app.trace")
SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def logging_config(*, readable: bool, level: str) -> dict[str, Any]:
    """Send structlog's and the standard library's records through the same formatter."""
    _configure_structlog()
    last = _readable() if readable else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
                "foreign_pre_chain": SHARED,
            }
        },
        "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stdout"}},
        "root": {"handlers": ["stdout"], "level": level},
        # Django repeats at warning level what the answer already says; its 5xx lines stay.
        # A heartbeat down every queue every few seconds is no news either.
        "loggers": {"django.request": {"level": "ERROR"}, **{name: {"level": "WARNING"} for name in CHATTY}},
    }


def _readable() -> list[Processor]:
    # Plain tracebacks: the default prints every local variable, and passwords are local variables somewhere.
    return [structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, exception_formatter=plain_traceback)]


def _configure_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def start_sentry(dsn: str) -> None:
    # The extra is optional, and the start-up check has said so if it is missing.
    sentry = importlib.import_module("sentry_sdk")
    sentry.init(dsn=dsn, send_default_pii=False, max_request_body_size="never", include_local_variables=False)
