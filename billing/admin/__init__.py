"""The desk for money: from an event to a payment to a subscription and back, and what staff do about them."""

from billing.admin import events, payments, refused, subscriptions

__all__ = ["events", "payments", "refused", "subscriptions"]
