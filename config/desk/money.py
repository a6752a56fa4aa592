"""The page of figures about money: what recurs, who left, what failed and what is left; each leads to its rows."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from accounts.models import Subscription
from billing import figures
from billing.amounts import told
from billing.figures import Month, OfPlan
from billing.models import BillingEvent, Payment, Refund
from config.desk.cards import Card

Status = Subscription.Status
# In the order of how sure the money is.
STATES = {Status.ACTIVE: "active", Status.CANCELING: "canceling", Status.PAST_DUE: "past due", Status.TRIAL: "trial"}
MOST = 20
FAILED = Refund.Status.FAILED


def show(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("billing.view_payment"):
        raise PermissionDenied
    month = Month.named(request.GET.get("month", "")) or Month.now()
    plans, moved = figures.by_plan(), figures.moved(month)
    context = {
        **admin.site.each_context(request),
        "title": "Figures",
        "month": month,
        "cards": [*_recurring(plans), _churn(month), *_net(moved, month), _failed(month), _failed_refunds(month)],
        "states": [*STATES.values()],
        "plans": [_row(each) for each in plans],
        "moved": [_moved(currency, each, month) for currency, each in moved.items()],
        "failed": [_failure(payment) for payment in _latest_failed(month)],
        "definitions": figures.DEFINITIONS,
        "later": month.after if month != Month.now() else None,
    }
    return TemplateResponse(request, "desk/money.html", context)


def at_a_glance(now: datetime) -> dict[str, Any]:
    """For the start page."""
    month, page = Month.of(now), reverse("admin:money")
    mrr = figures.in_a_month(figures.by_plan())
    value = " + ".join(told(worth, currency) for currency, worth in mrr.items()) or "-"
    mrr_card = Card("MRR", value, "what active plans bring in a month", page)
    return {"cards": [mrr_card, _failed(month), _failed_refunds(month)]}


def deliveries(now: datetime) -> dict[str, Any]:
    """For the start page: what providers told us, and we could not follow up."""
    count = BillingEvent.objects.filter(state=BillingEvent.State.FAILED).count()
    link = f"{reverse('admin:billing_billingevent_changelist')}?{urlencode({'state': BillingEvent.State.FAILED})}"
    note = "what providers told us; they can be processed again"
    return {"cards": [Card("Events given up", f"{count:,}", note, link, bad=count > 0)]}


def _recurring(plans: list[OfPlan]) -> list[Card]:
    """By currency; what is not sure stands beside it."""
    sure = figures.in_a_month(plans)
    rest = {words: figures.in_a_month(plans, state) for state, words in STATES.items() if state != Status.ACTIVE}
    cards = []
    for currency in sorted({*sure, *(each for worth in rest.values() for each in worth)}):
        apart = [f"{told(worth[currency], currency)} {words}" for words, worth in rest.items() if currency in worth]
        link = _subscriptions(status__exact=Status.ACTIVE, paid="yes")
        cards.append(Card("MRR", told(sure.get(currency, 0), currency), "; ".join(apart), link))
    return cards or [Card("MRR", "-", "nobody pays yet")]


def _churn(month: Month) -> Card:
    ended, of = figures.churn(month)
    share = f"{100 * ended / of:.1f} %" if of else "-"
    return Card("Churn", share, f"{ended:,} of {of:,} that were paid for at its start", _counted("ended", month))


def _net(moved: dict[str, figures.Moved], month: Month) -> list[Card]:
    return [
        Card("Net paid", told(each.net, currency), _gone(each, currency), _paid(currency, month))
        for currency, each in moved.items()
    ] or [Card("Net paid", "-", "nothing was paid")]


def _failed(month: Month) -> Card:
    count = figures.failed_payments(month).count()
    return Card("Failed payments", f"{count:,}", f"first heard of in {month}", _failures(month), bad=count > 0)


def _gone(each: figures.Moved, currency: str) -> str:
    lost = f", {told(each.lost, currency)} was lost in disputes" if each.lost else ""
    return f"{told(each.refunded, currency)} went back{lost}"


def _failed_refunds(month: Month) -> Card:
    count, link = figures.failed_refunds(month).count(), _within(Refund, "created_at", month, status=FAILED)
    return Card("Failed refunds", f"{count:,}", f"first heard of in {month}", link, bad=count > 0)


def _latest_failed(month: Month) -> list[Payment]:
    return [*figures.failed_payments(month).select_related("user").order_by("-created_at", "-id")[:MOST]]


def _row(each: OfPlan) -> dict[str, Any]:
    plan = each.plan
    cells = [
        {"count": each.counts[state], "link": _subscriptions(status__exact=state, plan__id__exact=plan.pk, paid="yes")}
        for state in STATES
    ]
    return {
        "name": plan.name,
        "price": f"{told(plan.price, plan.currency)} a {plan.interval}",
        "cells": cells,
        "mrr": told(each.mrr, plan.currency),
    }


def _moved(currency: str, each: figures.Moved, month: Month) -> dict[str, str]:
    return {
        "currency": currency,
        "paid": told(each.paid, currency),
        "paid_link": _paid(currency, month),
        "refunded": told(each.refunded, currency),
        "refunded_link": _refunded(currency, month),
        "lost": told(each.lost, currency),
        "lost_link": _within(Payment, "lost_at", month, currency=currency),
        "net": told(each.net, currency),
    }


def _failure(payment: Payment) -> dict[str, Any]:
    return {
        "at": payment.created_at,
        "link": reverse("admin:billing_payment_change", args=[payment.pk]),
        "amount": told(payment.amount, payment.currency),
        "why": payment.failure or "-",
        "user": payment.user,
    }


# The lists that have a figure's rows


def _subscriptions(**narrowed: Any) -> str:
    return f"{reverse('admin:accounts_subscription_changelist')}?{urlencode(narrowed)}"


def _counted(kind: str, month: Month) -> str:
    return _subscriptions(counted=f"{kind}-{month}")


def _paid(currency: str, month: Month) -> str:
    return _within(Payment, "paid_at", month, currency=currency)


def _refunded(currency: str, month: Month) -> str:
    return _within(Refund, "created_at", month, currency=currency, status=Refund.Status.SUCCEEDED)


def _failures(month: Month) -> str:
    return _within(Payment, "created_at", month, status=Payment.Status.FAILED)


def _within(model: Any, column: str, month: Month, **narrowed: str) -> str:
    span = {f"{column}_from": f"{month.start:%Y-%m-%dT%H:%M}", f"{column}_until": f"{month.end:%Y-%m-%dT%H:%M}"}
    return f"{reverse(f'admin:billing_{model._meta.model_name}_changelist')}?{urlencode({**span, **narrowed})}"
