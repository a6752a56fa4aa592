"""A list as CSV, streamed: as many rows as there are, a batch of them in memory."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone

from core.admin.look import Order, Rows, every_batch

# A spreadsheet takes what begins like this for a formula and runs it.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_csv(within: Rows, wanted: Rows, *, order: Order, columns: list[str]) -> StreamingHttpResponse:
    # The order's own columns last, where a batch finds the place to go on from.
    names = [*columns, *order.names]
    found = within.select_related(None).values_list(*names)
    batches = every_batch(found, found if wanted is within else wanted.select_related(None).values_list(*names), order)
    lines = _lines(columns, ([row[: len(columns)] for row in batch] for batch in batches))
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"{wanted.model._meta.model_name}-{timezone.now():%Y%m%d-%H%M}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _lines(columns: list[str], batches: Iterable[list[tuple[Any, ...]]]) -> Iterator[str]:
    yield _text([columns])
    for batch in batches:
        yield _text([[_cell(value) for value in row] for row in batch])


def _text(rows: list[list[str]]) -> str:
    page = io.StringIO()
    csv.writer(page).writerows(rows)
    return page.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text
