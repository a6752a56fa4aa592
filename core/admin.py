"""The base of the admin's pages."""

from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin


class RowAdmin(ModelAdmin):
    """A page that stays fast: no COUNT over the table, no giant selects, one query for the related rows."""

    show_full_result_count = False
    list_per_page = 50
    list_fullwidth = True


class ReadOnlyAdmin(RowAdmin):
    """For history, which nobody may edit."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
