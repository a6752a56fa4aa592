"""The base of every admin page: lists that stay fast at a million rows, exports, actions that ask first."""

from core.admin.filters import Between, one_of
from core.admin.rows import Asked, ReadOnlyAdmin, RowAdmin, Threaded, counted
from core.admin.tables import table

__all__ = ["Asked", "Between", "ReadOnlyAdmin", "RowAdmin", "Threaded", "counted", "one_of", "table"]
