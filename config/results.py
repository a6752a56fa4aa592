"""What is kept of a task that failed: its error and its traceback without secrets, and of its arguments the ids."""

import re
from typing import Any

import structlog
from django.db import Error as DatabaseProblem
from django_celery_results.backends import DatabaseBackend

from core.redaction import MARK, redacted, redacted_lines

logger = structlog.get_logger(__name__)
# Tasks carry ids and no more. Whatever else came in a message has no name to know it by, so it is not kept.
ID = re.compile(r"[0-9a-fA-F-]{1,36}")


class Results(DatabaseBackend):
    """Rows of TaskResult that may be read by whoever may read a log."""

    def _store_result(
        self, task_id: str, result: Any, status: str, traceback: str | None = None, **options: Any
    ) -> str | None:
        clean = redacted_lines(traceback) if traceback else traceback
        try:
            stored: str | None = super()._store_result(task_id, redacted(result), status, traceback=clean, **options)
        except DatabaseProblem as problem:
            # Raised from here, it leaves the message neither done nor given back, and its place taken: after as many of
            # them as a worker has places, it would be deaf for ever.
            logger.warning("result_not_kept", task_id=task_id, error=type(problem).__name__)
            return None
        return stored

    def _get_extended_properties(self, request: Any, traceback: str | None) -> dict[str, Any]:
        kept: dict[str, Any] = super()._get_extended_properties(request, traceback)
        given = {"task_args": getattr(request, "args", None), "task_kwargs": getattr(request, "kwargs", None)}
        for name, arguments in given.items():
            if kept.get(name) is not None:
                _, _, kept[name] = self.encode_content(_ids_in(arguments))
        return kept


def _ids_in(arguments: Any) -> Any:
    if isinstance(arguments, dict):
        return {redacted(str(name)): _id_or_mark(value) for name, value in arguments.items()}
    return [_id_or_mark(value) for value in arguments or ()]


def _id_or_mark(value: Any) -> str:
    text = str(value)
    return text if ID.fullmatch(text) else MARK
