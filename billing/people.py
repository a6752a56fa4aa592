"""What a user takes along of what they paid, with what, and what came back."""

from accounts.export import Rows
from accounts.models import User
from billing.models import Customer, Invoice, Payment, PaymentMethod, Refund


def payments_of(user: User) -> Rows:
    return Payment.objects.filter(user=user).order_by("id").values(
        "id", "provider", "provider_id", "subscription_id", "status", "reason", "amount", "tax", "refunded", "currency",
        "failure", "disputed", "lost", "paid_at", "created_at",
    )  # fmt: skip


def invoices_of(user: User) -> Rows:
    return (
        Invoice.objects.filter(user=user)
        .order_by("id")
        .values("id", "payment_id", "number", "amount", "tax", "currency", "issued_at")
    )


def refunds_of(user: User) -> Rows:
    return (
        Refund.objects.filter(user=user)
        .order_by("id")
        .values("id", "payment_id", "status", "amount", "currency", "partial", "reason", "created_at")
    )


def payment_methods_of(user: User) -> Rows:
    return (
        PaymentMethod.objects.filter(user=user)
        .order_by("id")
        .values("id", "provider", "kind", "brand", "last4", "expires_month", "expires_year", "is_default", "created_at")
    )


def customers_of(user: User) -> Rows:
    """What they are called by those who take the money."""
    return Customer.objects.filter(user=user).order_by("id").values("provider", "customer_id", "created_at")
