"""The desk for payments: what was paid, with what, and what went back, with the ways from each to the others."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.models import Plan
from billing import counter
from billing.admin.money import MoneyAdmin, events_about, refunds_in
from billing.amounts import in_coins, plain, told
from billing.models import Invoice, Payment, PaymentMethod, Refund
from core.admin import Asked, Between, ReadOnlyAdmin, counted, one_of
from core.errors import Problem

BY_PERSON = ["user__pk", "user__email__startswith"]
PERSON = "The id here or at the provider, a user's id, or the beginning of an e-mail address."


def currencies() -> list[str]:
    return sorted(set(Plan.objects.values_list("currency", flat=True)))


class RefundAsked(Asked):
    """How much of one payment, and why; `seen` is what had been given back when this was shown."""

    amount = forms.DecimalField(min_value=Decimal(0), decimal_places=3, widget=UnfoldAdminTextInputWidget)
    reason = forms.CharField(max_length=300, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))
    seen = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, given: Any, *, payment: Payment) -> None:
        first = {"amount": plain(counter.left_of(payment), payment.currency), "seen": payment.asked_back()}
        super().__init__(given, initial=first)
        self.payment = payment
        self.fields["amount"].label = f"Amount, {payment.currency}"

    def clean_amount(self) -> int:
        coins = in_coins(self.cleaned_data["amount"], self.payment.currency)
        if not coins:
            raise forms.ValidationError("There is no such amount in this currency.")
        if coins > (left := counter.left_of(self.payment)):
            raise forms.ValidationError(f"At most {told(left, self.payment.currency)} can be given back.")
        return coins


@admin.register(Payment)
class PaymentAdmin(MoneyAdmin):
    """Charges, and what came back of them."""

    list_display = ["created_at", "user", "sum_of", "status", "reason", "failure", "disputed", "provider", "paid_at"]
    list_filter = [
        ("created_at", Between), ("paid_at", Between), ("lost_at", Between), one_of("status", Payment.Status.values),
        one_of("currency", currencies),
    ]  # fmt: skip
    list_select_related = ["user"]
    search_fields = ["id", "provider_id", "subscription__pk", *BY_PERSON]
    search_help_text = PERSON
    exclude = ("refunding_until",)
    told_by = {"amount": "sum_of", "tax": "tax_of", "refunded": "given_back", "lost": "lost_of"}
    shown = {"refunds": "billing.view_refund", "events": "billing.view_billingevent"}
    actions = ["refund", "look_again"]
    nothing = "Payments show here as soon as somebody has paid."

    @admin.display(description="tax")
    def tax_of(self, payment: Payment) -> str:
        return told(payment.tax, payment.currency)

    @admin.display(description="given back")
    def given_back(self, payment: Payment) -> str:
        return told(payment.refunded, payment.currency)

    @admin.display(description="lost in disputes")
    def lost_of(self, payment: Payment) -> str:
        return told(payment.lost, payment.currency)

    @admin.display(description="refunds")
    def refunds(self, payment: Payment) -> str:
        return refunds_in(payment.refunds.all())

    @admin.display(description="events")
    def events(self, payment: Payment) -> str:
        return events_about("payments", payment.provider, payment.provider_id)

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.refund_payment")

    def has_look_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_payment")

    @admin.action(description="Give back", permissions=["refund"])
    def refund(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        if len(payments := list(queryset)) != 1:
            self.message_user(request, "One payment at a time: each has its own amount and reason.", messages.ERROR)
            return None
        [payment] = payments
        if not counter.left_of(payment):
            self.message_user(request, f"{_with_amount(payment)}. {_why_not(payment)}", messages.ERROR)
            return None
        form = RefundAsked(request.POST if "confirmed" in request.POST else None, payment=payment)
        if form.is_valid():
            self._refund(request, payment, form.cleaned_data)
            return None
        left = told(counter.left_of(payment), payment.currency)
        question = f"Give this payment back? {left} of it can be. {_effect()} It cannot be undone."
        return self.ask(request, payments, action="refund", question=question, form=form, tell=_with_amount)

    def _refund(self, request: HttpRequest, payment: Payment, asked: dict[str, Any]) -> None:
        wanted = told(asked["amount"], payment.currency)
        # Before: where this process ends halfway, money that has moved still has somebody's name to it.
        self.note(request, [payment], f"Asked to give {wanted} back: {asked['reason']}")
        try:
            found = counter.refund(payment, amount=asked["amount"], reason=asked["reason"], seen=asked["seen"])
        except Problem as problem:
            self.message_user(request, f"{problem.message} ({problem.code})", messages.ERROR)
            because = problem.details.get("because", problem.code)
            self.note(request, [payment], f"Not known to have given {wanted} back: {because}.")
            return
        given = told(found.amount, found.currency)
        self.note(request, [payment], f"Gave {given} back: {asked['reason']}")
        self.message_user(request, f"{given} goes back; the provider says: {found.status.lower()}.")

    @admin.action(description="Look again at the provider", permissions=["look"])
    def look_again(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        count = self.done(request, queryset, counter.look_at_payment_again, "Looked at again.")
        self.message_user(request, f"{counted(count, 'payment was', 'payments were')} looked at.")


def _effect() -> str:
    if settings.ACCESS_AFTER_REFUND == "end":
        return "All of the latest payment of a plan ends that plan at once."
    return "It takes no access away."


def _with_amount(payment: Any) -> str:
    return f"{payment}: {told(payment.amount, payment.currency)} of {payment.user or 'somebody erased'}"


def _why_not(payment: Payment) -> str:
    if payment.is_in_dispute:
        return f"{counter.InDispute().message} (dispute: {payment.disputed})"
    if payment.status in counter.PAID:
        return "All of it was given back, or is on its way."
    return f"It was not paid ({payment.get_status_display()}), so there is nothing to give back."


@admin.register(Invoice)
class InvoiceAdmin(MoneyAdmin):
    """Invoices; their PDFs stay with the provider."""

    list_display = ["created_at", "number", "user", "sum_of", "issued_at"]
    list_select_related = ["user"]
    search_fields = ["id", "payment__pk", *BY_PERSON]
    search_help_text = "The id, a user's id, or the beginning of an e-mail address."
    told_by = {"amount": "sum_of"}
    nothing = "Invoices show here with the first payment."


@admin.register(Refund)
class RefundAdmin(MoneyAdmin):
    """Money that went back."""

    list_display = ["created_at", "user", "sum_of", "status", "partial", "reason"]
    list_filter = [("created_at", Between), one_of("status", Refund.Status.values), one_of("currency", currencies)]
    list_select_related = ["user"]
    search_fields = ["id", "provider_id", "payment__pk", *BY_PERSON]
    search_help_text = PERSON
    told_by = {"amount": "sum_of"}
    shown = {"events": "billing.view_billingevent"}
    nothing = "Refunds show here."

    @admin.display(description="events")
    def events(self, refund: Refund) -> str:
        return events_about("refunds", refund.provider, refund.provider_id)


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnlyAdmin):
    """Cards, as far as we know them."""

    list_display = ["created_at", "user", "kind", "brand", "last4", "is_default", "provider"]
    list_select_related = ["user"]
    ordering = ["-created_at", "-id"]
    search_fields = ["id", "provider_id", *BY_PERSON]
    search_help_text = PERSON
    nothing = "Means of payment show here with the first payment."
