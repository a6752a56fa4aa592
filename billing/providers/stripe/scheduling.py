"""A change of plan at Stripe that waits for the end of the period: a schedule is made, changed and taken off again."""

from typing import Any

from billing.providers.stripe import asking, reading
from billing.providers.stripe.reading import Row, entry, id_of, items, text


def plan(row: Row, product_id: str, *, once: str) -> None:
    """The running phase as it is until its end, then one with the new price, after which the subscription runs free.

    https://docs.stripe.com/billing/subscriptions/subscription-schedules/use-cases
    """
    item, schedule = reading.first_item(row), entry(row.get("schedule"))
    if id_of(item.get("price")) == product_id:
        release(row)
        return
    if not schedule:
        # Of a subscription that has none yet; then there is nothing but the running phase in it.
        fields: dict[str, Any] = {"from_subscription": reading.required(row, "id")}
        schedule = asking.send("schedule", "subscription_schedules", fields, once=once)
    fields = {
        "end_behavior": "release",
        "proration_behavior": "none",
        "phases": [
            {**_running(schedule), "items": of(id_of(item.get("price"))), "end_date": item.get("current_period_end")},
            {"items": of(product_id), "duration": {"interval": "month"}, "proration_behavior": "none"},
        ],
    }
    asking.send("schedule_phases", f"subscription_schedules/{reading.required(schedule, 'id')}", fields, once=once)


def _running(schedule: Row) -> dict[str, Any]:
    """What has to be said again of the phase that runs: when it began, and what would be lost (a trial, a discount)."""
    began = entry(schedule.get("current_phase")).get("start_date")
    phase = next((each for each in items(schedule.get("phases")) if each.get("start_date") == began), {})
    discounts = [_discount(each) for each in items(phase.get("discounts"))]
    return {"start_date": began, "trial_end": phase.get("trial_end"), "discounts": discounts}


def _discount(row: Row) -> dict[str, str]:
    """The very one rather than another of its kind."""
    named = {name: id_of(row.get(name)) for name in ("discount", "coupon", "promotion_code")}
    return next(({name: value} for name, value in named.items() if value), {})


def of(product_id: str) -> list[dict[str, Any]]:
    return [{"price": product_id, "quantity": 1}]


def release(row: Row) -> None:
    """Take what was planned off a subscription, and leave it running as it is."""
    schedule = entry(row.get("schedule"))
    if text(schedule.get("status")) in {"active", "not_started"}:
        asking.send("release", f"subscription_schedules/{reading.required(schedule, 'id')}/release", {})
