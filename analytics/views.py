"""What happened, shown to whom it happened."""

from collections.abc import Collection
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from analytics.models import AuthenticationLog
from core.api import ValuesListView
from core.statements import Parameter


class ActivitySerializer(serializers.ModelSerializer[AuthenticationLog]):
    """One attempt to come in, go out or change a password."""

    class Meta:
        model = AuthenticationLog
        fields = ["id", "created_at", "event", "success", "reason", "ip", "user_agent"]
        read_only_fields = fields


class Activity(ValuesListView):
    """One's own sign-ins, newest first."""

    serializer_class = ActivitySerializer

    @classmethod
    def rows(cls, given: Collection[str]) -> QuerySet[AuthenticationLog]:
        return AuthenticationLog.objects.filter(**{name: Parameter(name) for name in given})

    def given(self) -> dict[str, Any]:
        return {"user": self.request.user.pk}
