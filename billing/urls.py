"""The addresses under /api/billing/."""

from django.urls import path

from billing import landing, views, webhooks

urlpatterns = [
    path("subscribe/", views.Subscribe.as_view()),
    path("upgrade/", views.Upgrade.as_view()),
    path("upgrade/preview/", views.UpgradePreview.as_view()),
    path("cancel/", views.Cancel.as_view()),
    path("resume/", views.Resume.as_view()),
    path("portal/", views.Portal.as_view()),
    path("subscription/history/", views.History.as_view()),
    path("subscription/success/", landing.success, name="billing-success"),
    path("subscription/cancel/", landing.cancelled, name="billing-cancel"),
    path("payments/", views.Payments.as_view()),
    path("invoices/", views.Invoices.as_view()),
    path("invoices/<uuid:invoice_id>/pdf/", views.InvoicePdf.as_view()),
    path("refunds/", views.Refunds.as_view()),
    path("payment-methods/", views.PaymentMethods.as_view()),
    path("payment-methods/update/", views.UpdateCard.as_view()),
    path("webhook/dodo/", webhooks.DodoWebhook.as_view()),
    path("webhook/stripe/", webhooks.StripeWebhook.as_view()),
]
