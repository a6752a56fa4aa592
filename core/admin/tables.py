"""A table inside a row's page. Whatever a cell holds is shown as text, unless it was marked as safe before."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A dash where there are no rows."""
    lines = [(format_html_join("", "<td>{}</td>", ((cell,) for cell in row)),) for row in rows]
    if not lines:
        return "-"
    head = format_html_join("", "<th>{}</th>", ((name,) for name in heads))
    body = format_html_join("", "<tr>{}</tr>", lines)
    whole = format_html('<table class="whyral-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>', head, body)
    return format_html('<div class="whyral-wide">{}</div>', whole)
