"""The life of a subscription at Dodo: bought, renewed or not, moved to another plan, ended; and who is told what."""

from datetime import datetime, timedelta
from typing import Any

from sandbox.dodo_books import (
    ASKED,
    DECLINES,
    GOOD_CARD,
    Books,
    Product,
    Refusal,
    Thing,
    after,
    found,
    new_id,
    put_on,
    stamp,
)

OVER = {"cancelled", "failed", "expired"}
PENDING_CHANGE = "PREVIOUS_PAYMENT_PENDING"


def tell(books: Books, subscription: Thing, *kinds: str, payment_id: str | None = None) -> None:
    """Each kind, and `updated` at the end."""
    for kind in (*kinds, "updated"):
        paid = payment_id if kind == "renewed" else None
        books.tell(f"subscription.{kind}", "subscription", subscription["subscription_id"], payment_id=paid)


def buy(books: Books, session: Thing, number: str) -> tuple[Thing, Thing | None]:
    """The first purchase, for a checkout session."""
    product = books.product(session["product_cart"][0]["product_id"])
    subscription = books.new_subscription(session, product)
    if number not in DECLINES:
        attach(books, subscription, number)
    if subscription["trial_period_days"]:
        ends = books.now() + timedelta(days=subscription["trial_period_days"])
        subscription |= {"status": "active", "next_billing_date": stamp(ends)}
        books.tell("subscription.active", "subscription", subscription["subscription_id"])
        return subscription, None
    fields = {"checkout_session_id": session["id"]}
    payment = books.charge(subscription, product.price, "new", number=number, **fields)
    begin(books, subscription, payment)
    return subscription, payment


def begin(books: Books, subscription: Thing, payment: Thing) -> None:
    """What follows from the first charge, once its end is known."""
    if payment["status"] == "failed":
        subscription["status"] = "failed"
        tell(books, subscription, "failed")
    elif payment["status"] == "succeeded":
        subscription["status"] = "active"
        begin_period(subscription, books.now(), books.product(subscription["product_id"]), payment)
        # It counts as a renewal too.
        tell(books, subscription, "active", "renewed", payment_id=payment["payment_id"])


def attach(books: Books, subscription: Thing, number: str) -> None:
    method = books.add_method(subscription["customer"]["customer_id"], number)
    subscription |= {"payment_method_id": method, "has_payment_method": True}


def begin_period(subscription: Thing, begins: datetime, product: Product, payment: Thing | None = None) -> None:
    dates = {"starts": stamp(begins), "ends": stamp(after(begins, product))}
    subscription |= {"previous_billing_date": dates["starts"], "next_billing_date": dates["ends"]}
    if payment:
        period = {"starts_at": dates["starts"], "ends_at": dates["ends"], "proration_factor": "1"}
        payment["service_periods"] = [period | {"subscription_id": subscription["subscription_id"]}]


def renew(books: Books, subscription: Thing) -> None:
    """What happens on the day that the next payment is due."""
    due = moment(subscription["next_billing_date"])
    if subscription["cancel_at_next_billing_date"]:
        end(books, subscription, {"actor_type": "api_key", "email": None, "name": None})
        return
    if due >= moment(subscription["created_at"]) + timedelta(days=365 * subscription["subscription_period_count"]):
        subscription |= {"status": "expired", "expires_at": stamp(due)}
        tell(books, subscription, "expired")
        return
    if scheduled := subscription["scheduled_change"]:
        put_on(subscription, books.product(scheduled["product_id"]))
        subscription["scheduled_change"] = None
        tell(books, subscription, "plan_changed")
    collect(books, subscription, due)


def collect(books: Books, subscription: Thing, due: datetime) -> None:
    product = books.product(subscription["product_id"])
    payment = books.charge(subscription, product.price, "renewal", number=card_of(books, subscription))
    if payment["status"] == "succeeded":
        was = subscription["status"]
        subscription |= {"status": "active", "past_due_ends_at": None}
        begin_period(subscription, due, product, payment)
        recovered = ("active",) if was in {"on_hold", "past_due"} else ()
        tell(books, subscription, *recovered, "renewed", payment_id=payment["payment_id"])
        return
    if books.grace_days:
        ends = stamp(books.now() + timedelta(days=books.grace_days))
        subscription |= {"status": "past_due", "past_due_ends_at": ends}
    else:
        subscription["status"] = "on_hold"
    tell(books, subscription, subscription["status"])


def end_grace(books: Books, subscription: Thing) -> None:
    subscription |= {"status": "on_hold", "past_due_ends_at": None}
    tell(books, subscription, "on_hold")


def card_of(books: Books, subscription: Thing) -> str:
    method = books.methods.get(subscription["payment_method_id"] or "")
    return str(method["number"]) if method else GOOD_CARD


def end(books: Books, subscription: Thing, by: Thing) -> None:
    ended = {"status": "cancelled", "cancelled_at": stamp(books.now()), "cancelled_by": by}
    subscription |= ended | {"cancel_at_next_billing_date": False, "scheduled_change": None}
    tell(books, subscription, "cancelled")


def update(books: Books, subscription: Thing, form: Thing) -> None:
    """PATCH. A date that is not in the future makes the renewal happen now, as in test mode."""
    if "pause" in form or (form.get("status") in {"paused", "active"} and len(form) > 1):
        raise Refusal(422, "INVALID_REQUEST_BODY")
    if subscription["status"] in OVER:
        raise Refusal(409, "SUBSCRIPTION_INACTIVE")
    if (status := form.get("status")) is not None:
        _set_status(books, subscription, status)
    if (cancels := form.get("cancel_at_next_billing_date")) is not None:
        subscription["cancel_at_next_billing_date"] = bool(cancels)
        # Although the plan is the same.
        tell(books, subscription, "plan_changed")
    if (date := form.get("next_billing_date")) is not None:
        subscription["next_billing_date"] = stamp(moment(date))
        due = moment(date) <= books.now()
        renew(books, subscription) if due else tell(books, subscription)


def _set_status(books: Books, subscription: Thing, status: str) -> None:
    if status == "cancelled":
        end(books, subscription, {"actor_type": "api_key", "email": None, "name": None})
    elif (subscription["status"], status) == ("active", "paused"):
        subscription |= {"status": "paused", "paused_at": stamp(books.now())}
        tell(books, subscription, "paused")
    elif (subscription["status"], status) == ("paused", "active"):
        subscription |= {"status": "active", "paused_at": None}
        tell(books, subscription, "unpaused")
    else:
        raise Refusal(422, "INVALID_REQUEST_BODY")


# From one plan to another


def proration(books: Books, subscription: Thing, form: Thing) -> int:
    """What a change costs now; below zero it is credited."""
    old, new = books.product(subscription["product_id"]), books.product(form["product_id"])
    mode = form.get("proration_billing_mode")
    if mode == "full_immediately":
        return new.price
    if mode == "difference_immediately":
        return new.price - old.price
    if mode == "prorated_immediately":
        begins, ends = moment(subscription["previous_billing_date"]), moment(subscription["next_billing_date"])
        unused = max((ends - books.now()) / (ends - begins), 0.0) if ends > begins else 0.0
        return new.price - round(old.price * min(unused, 1.0))
    if mode == "do_not_bill":
        return 0
    raise Refusal(422, "INVALID_REQUEST_BODY")


def check_change(subscription: Thing, form: Thing) -> None:
    if subscription["on_demand"]:
        raise Refusal(422, "ON_DEMAND_PLAN_CHANGE_NOT_SUPPORTED")
    if subscription["status"] != "active":
        raise Refusal(422, "INACTIVE_SUBSCRIPTION_PLAN_CHANGE_NOT_SUPPORTED")
    if subscription["scheduled_change"] and not form.get("cancel_scheduled_change_plan"):
        raise Refusal(409, PENDING_CHANGE)


def change_plan(books: Books, subscription: Thing, form: Thing) -> Thing | None:
    """The payment it took, where it took one."""
    product = books.product(form["product_id"])
    check_change(subscription, form)
    waits = bool(form.get("collect_via_payment_link"))
    if form.get("return_url") and not waits:
        raise Refusal(422, "INVALID_REQUEST_BODY")
    _make_way(books, subscription, form)
    if form.get("effective_at") == "next_billing_date":
        subscription["scheduled_change"] = _scheduled(books, subscription, form)
        tell(books, subscription)
        return None
    cost, payment = proration(books, subscription, form), None
    if cost > 0:
        number, metadata = card_of(books, subscription), form.get("metadata")
        payment = books.charge(subscription, cost, "plan_change", number=number, metadata=metadata, waits=waits)
    elif cost < 0:
        customer_id = subscription["customer"]["customer_id"]
        books.wallet[customer_id] = books.wallet.get(customer_id, 0) - cost
    _move(books, subscription, form, product, payment)
    return payment


def _make_way(books: Books, subscription: Thing, form: Thing) -> None:
    """One change at a time; a page on which nobody has begun to pay can be given up for another."""
    about = subscription["subscription_id"]
    for payment in books.payments.values():
        if payment["subscription_id"] == about and payment["status"] == ASKED:
            if not form.get("cancel_older_payment_link"):
                raise Refusal(409, PENDING_CHANGE)
            payment["status"] = "cancelled"
            books.tell("payment.cancelled", "payment", payment["payment_id"])


def confirm(books: Books, session: Thing) -> None:
    """The bank lets the payment through, and what it was for takes effect."""
    payment, subscription = books.payments[session["payment_id"]], books.subscriptions[session["subscription_id"]]
    if payment["status"] != ASKED:
        raise Refusal(409, "CHECKOUT_SESSION_CONSUMED")
    books.settle(payment, None)
    _move(books, subscription, session["form"], books.product(session["form"]["product_id"]), payment)


def _move(books: Books, subscription: Thing, form: Thing, product: Product, payment: Thing | None) -> None:
    declined = bool(payment and payment["status"] != "succeeded")
    if declined and form.get("on_payment_failure") != "apply_change":
        return
    put_on(subscription, product)
    subscription |= {"scheduled_change": None, "addons": form.get("addons") or []}
    if form["proration_billing_mode"] in {"prorated_immediately", "full_immediately"}:
        begin_period(subscription, books.now(), product, None if declined else payment)
    if declined:
        subscription["status"] = "on_hold"
    tell(books, subscription, "plan_changed", *(["on_hold"] if declined else []))


def _scheduled(books: Books, subscription: Thing, form: Thing) -> dict[str, Any]:
    return {
        "addons": [],
        "created_at": stamp(books.now()),
        "effective_at": subscription["next_billing_date"],
        "id": new_id("sch"),
        "product_description": None,
        "product_id": form["product_id"],
        "product_name": None,
        "quantity": form.get("quantity", 1),
    }


def unschedule(books: Books, subscription: Thing) -> None:
    if not subscription["scheduled_change"]:
        raise Refusal(404, "NOT_FOUND")
    subscription["scheduled_change"] = None
    tell(books, subscription)


def new_card(books: Books, subscription: Thing, number: str) -> None:
    """Another card. Where a renewal is owed it is charged at once."""
    if number in DECLINES:
        raise Refusal(402, DECLINES[number])
    attach(books, subscription, number)
    tell(books, subscription, "update_payment_method")
    if subscription["status"] in {"on_hold", "past_due"}:
        collect(books, subscription, moment(subscription["next_billing_date"]))


def existing_card(books: Books, subscription: Thing, method_id: str) -> None:
    subscription["payment_method_id"] = found(books.methods, method_id)["id"]
    tell(books, subscription, "update_payment_method")
    if subscription["status"] in {"on_hold", "past_due"}:
        collect(books, subscription, moment(subscription["next_billing_date"]))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
