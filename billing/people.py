"""What a user takes along of what they paid."""

from accounts.export import Rows
from accounts.models import User
from billing.models import Payment


def payments_of(user: User) -> Rows:
    columns = ("id", "status", "reason", "amount", "tax", "refunded", "currency", "paid_at", "created_at")
    rows: Rows = Payment.objects.filter(user=user).order_by("id").values(*columns)
    return rows
