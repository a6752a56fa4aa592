"""The addresses of the analysis endpoints."""

from django.urls import path

from analysis import views
from analysis.chat import views as chat
from analysis.notes import views as notes

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
    path("chat/sessions/", chat.OpenSession.as_view()),
    path("chat/sessions/list/", chat.Sessions.as_view()),
    path("chat/sessions/<uuid:session_id>/", chat.OneSession.as_view()),
    path("chat/sessions/<uuid:session_id>/messages/", chat.Messages.as_view()),
    path("chat/sessions/<uuid:session_id>/messages/stream/", chat.MessageStream.as_view()),
    path("chat/messages/<uuid:message_id>/", chat.OneMessage.as_view()),
    path("chat/messages/<uuid:message_id>/cancel/", chat.CancelMessage.as_view()),
    path("chat/messages/<uuid:message_id>/stream/", chat.Resume.as_view()),
    path("chat/messages/<uuid:message_id>/stream/ticket/", chat.ResumeTicket.as_view()),
    path("notes/", notes.Notes.as_view()),
    path("notes/save/", notes.SaveNote.as_view()),
    path("notes/<uuid:post_analysis_id>/", notes.OneNote.as_view()),
    path("notes/<uuid:note_id>/delete/", notes.DeleteNote.as_view()),
]
