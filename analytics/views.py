"""What happened, shown to whom it happened."""

from django.db.models import QuerySet
from rest_framework import serializers

from analytics.models import AuthenticationLog
from core.api import ValuesListView


class ActivitySerializer(serializers.ModelSerializer[AuthenticationLog]):
    """One attempt to come in, go out or change a password."""

    class Meta:
        model = AuthenticationLog
        fields = ["id", "created_at", "event", "success", "reason", "ip", "user_agent"]
        read_only_fields = fields


class Activity(ValuesListView):
    """One's own sign-ins, newest first."""

    serializer_class = ActivitySerializer

    def rows(self) -> QuerySet[AuthenticationLog]:
        return AuthenticationLog.objects.filter(user=self.request.user.pk)
