"""The accounts' addresses."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("signup/", views.SignUp.as_view()),
    path("login/", views.SignIn.as_view()),
    path("token/refresh/", views.RenewTokens.as_view()),
    path("logout/", views.SignOut.as_view()),
    path("reset-password/", views.AskPasswordReset.as_view()),
    path("reset-password/confirm/", views.ResetPassword.as_view()),
    path("verify-email/", views.VerifyEmail.as_view()),
    path("verify-email/resend/", views.AskVerification.as_view()),
    path("me/", views.Me.as_view()),
    path("me/export/", views.Export.as_view()),
    path("subscription/", views.CurrentSubscription.as_view()),
    path("plans/", views.Plans.as_view()),
    path("usage/", views.UsageToday.as_view()),
    path("usage/limits/", views.UsageLimits.as_view()),
    path("usage/history/", views.UsageHistory.as_view()),
    path("webhook/clerk/", views.ClerkWebhook.as_view()),
]
