"""Every type of event that Stripe has, what is done about it, and what an event is about.

https://docs.stripe.com/api/events/types
"""

from collections.abc import Iterator
from typing import Any

import orjson

from billing.providers.contract import Decision, Hint
from billing.providers.stripe.reading import Row, entry, id_of, subscription_details, text
from core.webhooks import SANE_ID, MalformedWebhook

# A family of types a line, or several where they are indented. Of two that tell the same (`invoice.paid` and
# `invoice.payment_succeeded`; a refund and its charge) the one that always comes and names the object is handled.
TABLE = {
    Decision.HANDLED: """
    checkout: session.completed session.async_payment_succeeded session.async_payment_failed
    customer: subscription.created subscription.updated subscription.deleted subscription.paused
        subscription.resumed subscription.pending_update_applied subscription.pending_update_expired updated deleted
    invoice: paid payment_failed payment_action_required voided marked_uncollectible
    refund: created updated failed
    charge: refund.updated dispute.created dispute.updated dispute.closed dispute.funds_withdrawn
        dispute.funds_reinstated
    subscription_schedule: updated released canceled completed aborted
    payment_method: attached detached updated automatically_updated
    """,
    Decision.RECORDED: """
    checkout: session.expired
    customer: created subscription.trial_will_end
    invoice: payment_succeeded finalization_failed overdue overpaid payment_attempt_required
    invoice_payment: paid
    charge: failed refunded succeeded
    payment_intent: payment_failed succeeded
    radar: early_fraud_warning.created early_fraud_warning.updated
    review: opened closed
    setup_intent: succeeded setup_failed
    subscription_schedule: created expiring
    credit_note: created updated voided
    mandate: updated
    """,
    Decision.IGNORED: """
    account: application.authorized application.deauthorized external_account.created external_account.deleted
        external_account.updated updated
    application_fee: created refund.updated refunded
    apps: install.created install.deleted install.updated
    balance: available
    balance_settings: updated
    billing: alert.triggered credit_balance_transaction.created credit_grant.created credit_grant.updated
        meter.created meter.deactivated meter.reactivated meter.updated
    billing_portal: configuration.created configuration.updated session.created
    capability: updated
    cash_balance: funds_available
    charge: captured expired pending updated
    climate: order.canceled order.created order.delayed order.delivered order.product_substituted product.created
        product.pricing_updated
    coupon: created deleted updated
    customer: discount.created discount.deleted discount.updated source.created source.deleted source.expiring
        source.updated tax_id.created tax_id.deleted tax_id.updated
    customer_cash_balance_transaction: created
    entitlements: active_entitlement_summary.updated
    file: created
    financial_connections: account.account_numbers_updated account.created account.deactivated account.disconnected
        account.expected_deactivation_date_updated account.reactivated account.refreshed_balance
        account.refreshed_ownership account.refreshed_transactions account.supported_payment_method_types_updated
        account.upcoming_account_number_expiry account.upcoming_deactivation
        authorization.expected_deactivation_date_updated authorization.upcoming_deactivation
    identity: verification_session.canceled verification_session.created verification_session.processing
        verification_session.redacted verification_session.requires_input verification_session.verified
    invoice: created deleted finalized sent upcoming updated will_be_due
    invoiceitem: created deleted
    issuing_authorization: created request updated
    issuing_card: created updated
    issuing_cardholder: created updated
    issuing_dispute: closed created funds_reinstated funds_rescinded submitted updated
    issuing_personalization_design: activated deactivated rejected updated
    issuing_token: created updated
    issuing_transaction: created purchase_details_receipt_updated updated
    payment_intent: amount_capturable_updated canceled created partially_funded processing requires_action
    payment_link: created updated
    payout: canceled created failed paid reconciliation_completed updated
    person: created deleted updated
    plan: created deleted updated
    price: created deleted updated
    product: created deleted updated
    promotion_code: created updated
    quote: accepted canceled created finalized
    reporting: report_run.failed report_run.succeeded report_type.updated
    reserve: hold.created hold.updated plan.created plan.disabled plan.expired plan.updated release.created
    setup_intent: canceled created requires_action
    sigma: scheduled_query_run.created
    source: canceled chargeable failed mandate_notification refund_attributes_required transaction.created
        transaction.updated
    tax: settings.updated
    tax_rate: created updated
    terminal: reader.action_failed reader.action_succeeded reader.action_updated
    test_helpers: test_clock.advancing test_clock.created test_clock.deleted test_clock.internal_failure
        test_clock.ready
    three_d_secure: authentication.canceled authentication.challenge_started authentication.errored
        authentication.failed authentication.requires_challenge authentication.requires_submission
        authentication.succeeded
    topup: canceled created failed reversed succeeded
    transfer: created reversed updated
    treasury: credit_reversal.created credit_reversal.posted debit_reversal.completed debit_reversal.created
        debit_reversal.initial_credit_granted financial_account.closed financial_account.created
        financial_account.features_status_updated inbound_transfer.canceled inbound_transfer.created
        inbound_transfer.failed inbound_transfer.succeeded outbound_payment.canceled outbound_payment.created
        outbound_payment.expected_arrival_date_updated outbound_payment.failed outbound_payment.posted
        outbound_payment.returned outbound_payment.tracking_details_updated outbound_transfer.canceled
        outbound_transfer.created outbound_transfer.expected_arrival_date_updated outbound_transfer.failed
        outbound_transfer.posted outbound_transfer.returned outbound_transfer.tracking_details_updated
        received_credit.created received_credit.failed received_credit.succeeded received_debit.created
    """,
}


def _types(block: str) -> Iterator[str]:
    family = ""
    for word in block.split():
        if word.endswith(":"):
            family = word.removesuffix(":")
        else:
            yield f"{family}.{word}"


DECISIONS = {each: decision for decision, block in TABLE.items() for each in _types(block)}


def hint(body: bytes) -> Hint:
    """By the object's own kind, for many types are about the same one. What it says of the object is not believed."""
    event = _parsed(body)
    about = entry(entry(event.get("data")).get("object"))
    subscriptions, payments = _billing_of(about)
    return Hint(
        id=text(event.get("id")),
        type=text(event.get("type")),
        subscription_ids=_known(subscriptions, "sub_"),
        payment_ids=_known(payments, "in_"),
        refund_ids=_known(about.get("id"), "re_", "pyr_"),
        dispute_ids=_known(about.get("id"), "du_", "dp_"),
        card_owner_ids=_known(_card_owner(event, about), "cus_"),
    )


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedWebhook("The webhook is not JSON.") from None
    if not (isinstance(event, dict) and SANE_ID.fullmatch(text(event.get("id"))) and text(event.get("type"))):
        raise MalformedWebhook("The webhook is no event.")
    return event


def _billing_of(about: Row) -> tuple[object, object]:
    """The subscription and the invoice that an object is, or names; an endpoint may still speak an old version."""
    kind = text(about.get("object"))
    if kind == "subscription":
        return about.get("id"), None
    if kind == "invoice":
        return subscription_details(about).get("subscription") or about.get("subscription"), about.get("id")
    if kind == "subscription_schedule":
        return about.get("subscription") or about.get("released_subscription"), None
    return about.get("subscription"), about.get("invoice")


def _card_owner(event: Row, about: Row) -> object:
    """Whoever's card it is, or was: one that was taken off its customer says so only in what it has changed."""
    if about.get("object") == "customer":
        return about.get("id")
    if about.get("object") != "payment_method":
        return None
    return about.get("customer") or entry(entry(event.get("data")).get("previous_attributes")).get("customer")


def _known(value: object, *prefixes: str) -> tuple[str, ...]:
    """Ids of this kind only: an invoice to come has one that leads nowhere."""
    found = id_of(value)
    return (found,) if found.startswith(prefixes) else ()
