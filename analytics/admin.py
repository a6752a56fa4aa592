"""The record of sign-ins, to look at and never to edit."""

from django.contrib import admin

from analytics.models import AuthenticationLog
from core.admin import ReadOnlyAdmin


@admin.register(AuthenticationLog)
class AuthenticationLogAdmin(ReadOnlyAdmin):
    """Who came in, or tried to."""

    list_display = ["created_at", "event", "success", "reason", "user", "ip", "request_id"]
    list_filter = ["event", "success"]
    list_select_related = ["user"]
    search_fields = ["user__email__startswith", "ip__exact", "request_id__exact"]
