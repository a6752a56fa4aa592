"""One look into an ordered table: a page of rows that costs the same at the millionth row as at the first.

Rows are found from a place onwards, by comparing whole rows: no OFFSET, no COUNT. An index can serve the order and one
condition. Where more is asked for, a look reads so many rows and no more, and says where the next one goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Model, QuerySet
from django.db.models.fields.tuple_lookups import (
    Tuple,
    TupleGreaterThan,
    TupleGreaterThanOrEqual,
    TupleLessThan,
    TupleLessThanOrEqual,
)

# A look that must read rows one by one reads this many: a tenth of a second.
READ_AT_ONCE = 50_000
BATCH = 1000

Place = tuple[Any, ...]
Rows = QuerySet[Any, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """What was found, and where to go on; no place where the table has ended."""

    rows: list[Any]
    further: Place | None
    # Whether rows were left unread because the look had read enough, not because the page was full.
    cut_short: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """The names that rows are ordered by, together unique, and whether the last come first."""

    names: tuple[str, ...]
    falling: bool

    @classmethod
    def of(cls, rows: Rows) -> "Order":
        given = [str(name) for name in rows.query.order_by]
        names = tuple(name.removeprefix("-") for name in given)
        return cls(tuple(_real(name, rows.model) for name in names), falling=given[0].startswith("-"))

    def reversed(self) -> "Order":
        return Order(self.names, not self.falling)

    def applied(self, rows: Rows) -> Rows:
        return rows.order_by(*(f"-{name}" if self.falling else name for name in self.names))

    def beyond(self, rows: Rows, place: Place | None) -> Rows:
        compare = TupleLessThan if self.falling else TupleGreaterThan
        return rows if place is None else rows.filter(compare(*self._at(place)))

    def up_to(self, rows: Rows, place: Place | None) -> Rows:
        compare = TupleGreaterThanOrEqual if self.falling else TupleLessThanOrEqual
        return rows if place is None else rows.filter(compare(*self._at(place)))

    def _at(self, place: Place) -> tuple[Tuple, Place]:
        return Tuple(*(F(name) for name in self.names)), place

    def place_of(self, row: Model | Sequence[Any]) -> Place:
        """Of an instance, or of a tuple that ends with the names' values."""
        if isinstance(row, Model):
            return tuple(getattr(row, name) for name in self.names)
        return tuple(row[-len(self.names) :])


def look(within: Rows, wanted: Rows, *, order: Order, start: Place | None, size: int, read: int = READ_AT_ONCE) -> Look:
    """Find the next rows `wanted`; `within` are those that an index finds, of which `wanted` may be but a few."""
    ahead = order.applied(order.beyond(within, start))
    edge = None if wanted is within else _edge(ahead, order, read)
    found = list(order.applied(order.up_to(order.beyond(wanted, start), edge))[: size + 1])
    if len(found) > size:
        return Look(found[:size], order.place_of(found[size - 1]))
    return Look(found, edge, cut_short=edge is not None)


def _edge(ahead: Rows, order: Order, read: int) -> Place | None:
    """The last row that a look may read; none where the table ends before it."""
    return next(iter(ahead.values_list(*order.names)[read - 1 : read]), None)


def every_batch(within: Rows, wanted: Rows, order: Order) -> Iterator[list[Any]]:
    """All that is wanted, a batch at a time, in statements that each end soon: nothing is held open in between."""
    place: Place | None = None
    while True:
        seen = look(within, wanted, order=order, start=place, size=BATCH)
        yield seen.rows
        place = seen.further
        if place is None:
            return


def _real(name: str, model: type[Model]) -> str:
    return str(model._meta.pk.name) if name == "pk" else name
