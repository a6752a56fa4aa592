"""The textbook stack: a ModelViewSet with a ModelSerializer behind a router."""

from typing import Any

from django.db.models import QuerySet
from django.urls import include, path
from rest_framework.routers import DefaultRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from analytics.models import AuthenticationLog


class ActivitySerializer(ModelSerializer[AuthenticationLog]):
    """One attempt to come in, go out or change a password."""

    class Meta:
        model = AuthenticationLog
        fields = ["id", "created_at", "event", "success", "reason", "ip", "user_agent"]


class ActivityViewSet(ModelViewSet[AuthenticationLog]):
    """One's own sign-ins, newest first."""

    serializer_class = ActivitySerializer

    def get_queryset(self) -> QuerySet[AuthenticationLog]:
        user: Any = self.request.user
        return AuthenticationLog.objects.filter(user=user).order_by("-created_at", "-id")


router = DefaultRouter()
router.register("activity", ActivityViewSet, basename="activity")
urlpatterns = [path("api/", include(router.urls))]
