"""The desk for what the service said of itself."""

from django.conf import settings
from django.contrib import admin
from unfold.decorators import display

from core.admin import Between, ReadOnlyAdmin, Threaded, one_of
from logs.models import AppLog, RejectedLine

TONES = {"ERROR": "danger", "CRITICAL": "danger", "WARNING": "warning", "INFO": "info"}


@admin.register(AppLog)
class AppLogAdmin(Threaded, ReadOnlyAdmin):
    """A line of the log."""

    list_display = ["created_at", "severity", "category", "beginning", "logger", "thread"]
    list_filter = [("created_at", Between), "level", "category"]
    told_by = {"request_id": "whole_thread"}
    search_fields = ["request_id"]
    search_help_text = "A request id in full."
    ordering = ["-created_at", "-id"]
    export_fields = tuple(field.name for field in AppLog._meta.concrete_fields)

    @display(description="level", label=TONES)
    def severity(self, line: AppLog) -> str:
        return line.level

    @admin.display(description="message")
    def beginning(self, line: AppLog) -> str:
        return line.message[:120]


@admin.register(RejectedLine)
class RejectedLineAdmin(ReadOnlyAdmin):
    """What the shipper could not bring into its table, and why."""

    list_display = ["created_at", "table", "error", "segment", "position"]
    list_filter = [("created_at", Between), one_of("table", tuple(settings.LOG_TABLES))]
    nothing = "None: every row arrived."
    search_fields = ["id"]
    search_help_text = "An id."
    ordering = ["-created_at", "-id"]
    export_fields = tuple(field.name for field in RejectedLine._meta.concrete_fields)
