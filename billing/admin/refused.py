"""The desk for deliveries that were refused: how many of a kind came in an hour, and from where the latest."""

from django.contrib import admin

from billing.models import RefusedDelivery
from billing.providers import PROVIDERS
from core.admin import Between, ReadOnlyAdmin, one_of


@admin.register(RefusedDelivery)
class RefusedDeliveryAdmin(ReadOnlyAdmin):
    """Hours in which deliveries were refused."""

    list_display = ["hour", "provider", "code", "count", "last_at", "address", "bytes", "request_id"]
    list_filter = [("created_at", Between), one_of("provider", [*PROVIDERS])]
    ordering = ["-created_at", "-id"]
    search_fields = ["id"]
    search_help_text = "An id."
    nothing = "None: whatever came was signed as it should be."
