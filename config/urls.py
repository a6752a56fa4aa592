"""Every address the service answers to."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from analytics.views import Activity
from config import health
from core.api import no_such_endpoint

urlpatterns = [
    path("", RedirectView.as_view(url="/api/docs/")),
    path("admin/", admin.site.urls),
    path("health/", health.health),
    path("health/live/", health.live),
    path("health/ready/", health.ready),
    path("api/schema/", SpectacularAPIView.as_view(throttle_classes=[]), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(throttle_classes=[])),
    path("api/accounts/", include("accounts.urls")),
    path("api/accounts/me/activity/", Activity.as_view()),
    re_path(r"^api/", no_such_endpoint),
]

handler400 = "core.api.bad_request"
handler403 = "core.api.permission_denied"
handler404 = "core.api.not_found"
handler500 = "core.api.server_error"
