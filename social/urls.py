"""The addresses of posts' endpoints."""

from django.urls import path

from social import views
from social.webhooks import BrightDataWebhook

urlpatterns = [
    path("platforms/", views.Platforms.as_view()),
    path("parse/", views.Parse.as_view()),
    path("webhook/brightdata/<str:token>/", BrightDataWebhook.as_view()),
]
