"""The addresses of the analysis endpoints."""

from django.urls import path

from analysis import views

urlpatterns = [
    path("requests/<uuid:request_id>/", views.OneRequest.as_view()),
    path("requests/<uuid:request_id>/events/", views.Events.as_view()),
    path("requests/<uuid:request_id>/events/ticket/", views.EventsTicket.as_view()),
    path("requests/<uuid:request_id>/history/", views.History.as_view()),
    path("requests/<uuid:request_id>/retry/", views.Retry.as_view()),
    path("requests/<uuid:request_id>/cancel/", views.Cancel.as_view()),
    path("requests/", views.Requests.as_view()),
    path("posts/<uuid:post_analysis_id>/", views.OneAnalysis.as_view()),
    path("analyze/", views.Analyze.as_view()),
    path("quote/", views.Quote.as_view()),
]
