"""Stripe's subscriptions on loopback: begun, changed, renewed, planned and ended, each with the money it moves."""

from sandbox.stripe_ledger import DAY, Ledger
from sandbox.stripe_wire import Refused, Row, declined, missing, unpaid

DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
LIVE = {"active", "trialing", "past_due", "unpaid", "incomplete", "paused"}
SCHEDULED = (
    "The subscription is managed by the subscription schedule `{}`, and updating any cancelation behavior directly is "
    "not allowed. Please update the schedule instead."
)


class Subscriptions(Ledger):
    """Ledgers with subscriptions in them. A month has thirty days."""

    def begin(self, customer: str, price: str, *, metadata: Row, card: str, trial_days: int = 0) -> Row:
        plan, start = self.price(price), self.now()
        end = start + (trial_days or DAYS[plan["recurring"]["interval"]]) * DAY
        row = self.new("subscription", customer=customer, metadata=metadata, default_payment_method=card)
        item = {
            "id": f"si_{row['id'].removeprefix('sub_')}",
            "object": "subscription_item",
            "current_period_start": start,
            "current_period_end": end,
            "price": plan,
            "quantity": 1,
            "subscription": row["id"],
        }
        row |= {"items": {"object": "list", "data": [item], "has_more": False, "url": "/v1/subscription_items"}}
        row |= {"currency": plan["currency"], "billing_cycle_anchor": start, "start_date": start}
        if trial_days:
            row |= {"status": "trialing", "trial_start": start, "trial_end": end}
        self.tell("customer.subscription.created", row)
        invoice = self._bill(row, "subscription_create", 0 if trial_days else plan["unit_amount"])
        self.pay(invoice)
        return row

    def _bill(self, row: Row, reason: str, amount: int) -> Row:
        invoice = self.invoice(row, reason, amount, currency=row["currency"])
        self.finalize(invoice)
        return invoice

    # Changes

    def update(self, name: str, fields: Row) -> Row:
        row = self._live(name)
        self._check_ending(row, fields)
        if "items" in fields:
            self._change(row, fields)
        if "cancel_at_period_end" in fields:
            self._cancel_at_end(row, at_end=fields["cancel_at_period_end"] == "true")
        if "cancel_at" in fields:
            row["cancel_at"] = int(fields["cancel_at"]) if fields["cancel_at"] else None
        if "default_payment_method" in fields:
            row["default_payment_method"] = fields["default_payment_method"] or None
        row["metadata"] |= fields.get("metadata") or {}
        self.tell("customer.subscription.updated", row)
        return row

    def _live(self, name: str) -> Row:
        row = self.get("subscription", name)
        if row["status"] not in LIVE:
            raise Refused(400, None, "A canceled subscription can only update its cancellation_details and metadata.")
        return row

    @staticmethod
    def _check_ending(row: Row, fields: Row) -> None:
        asked = {"cancel_at_period_end", "cancel_at"} & fields.keys()
        if asked and row["schedule"]:
            raise Refused(400, None, SCHEDULED.format(row["schedule"]))
        if len(asked) > 1:
            raise Refused(400, None, "You may only specify one of these parameters: cancel_at, cancel_at_period_end.")

    def _cancel_at_end(self, row: Row, *, at_end: bool) -> None:
        row["cancel_at_period_end"] = at_end
        row["cancel_at"] = _item(row)["current_period_end"] if at_end else None
        row["canceled_at"] = self.now() if at_end else None

    def _change(self, row: Row, fields: Row) -> None:
        plan, amount = self._priced(row, fields)
        how = fields.get("proration_behavior", "create_prorations")
        if how == "always_invoice":
            if self.declines and amount > 0 and fields.get("payment_behavior") == "error_if_incomplete":
                raise unpaid(self.declines)
            if not self.pay(self._bill(row, "subscription_update", amount)):
                row["status"] = "past_due"
        self._put_on(row, plan)

    def _priced(self, row: Row, fields: Row) -> tuple[Row, int]:
        """The new price, and what it costs from now to the end of the period above what is given back."""
        asked, item, now = fields["items"][0], _item(row), int(fields.get("proration_date", self.now()))
        if asked.get("id") != item["id"]:
            raise Refused(400, "resource_missing", f"No such subscription item: '{asked.get('id')}'")
        if not item["current_period_start"] <= now <= item["current_period_end"]:
            raise Refused(400, None, "Cannot specify `proration_date` outside of the current period.")
        plan, old = self.price(asked["price"]), item["price"]
        if row["status"] == "trialing":
            return plan, 0
        left, whole = item["current_period_end"] - now, item["current_period_end"] - item["current_period_start"]
        unused = old["unit_amount"] * left // whole
        fresh = plan["unit_amount"] * left // whole if _same_rhythm(plan, old) else plan["unit_amount"]
        return plan, fresh - unused

    def _put_on(self, row: Row, plan: Row) -> None:
        item = _item(row)
        if not _same_rhythm(plan, item["price"]):
            self._turn(item, plan, self.now())
        item["price"] = plan

    @staticmethod
    def _turn(item: Row, plan: Row, start: int) -> None:
        end = start + DAYS[plan["recurring"]["interval"]] * DAY
        item |= {"current_period_start": start, "current_period_end": end}

    def confirm(self, wish: Row) -> Row:
        """Its owner has confirmed the payment to the bank, which then lets it through."""
        self.declines = ""
        return self.update(wish["subscription"], {"items": wish["items"], "proration_behavior": "always_invoice"})

    def preview(self, fields: Row) -> Row:
        row = self._live(fields["subscription"])
        _, amount = self._priced(row, fields["subscription_details"])
        tax = amount * self.tax_percent // 100
        balance = self.get("customer", row["customer"])["balance"]
        return {
            "id": "upcoming_in_sandbox",
            "object": "invoice",
            "currency": row["currency"],
            "total": amount + tax,
            "subtotal": amount,
            "amount_due": max(0, amount + tax + balance),
            "starting_balance": balance,
            "total_taxes": [{"amount": tax, "tax_behavior": "exclusive"}] if tax else [],
            "status": "draft",
        }

    def end(self, name: str, *, reason: str = "cancellation_requested") -> Row:
        row = self.get("subscription", name)
        if row["status"] not in LIVE:
            raise missing("subscription", name)
        if row["schedule"]:
            schedule = self.get("subscription_schedule", row["schedule"])
            schedule |= {"status": "canceled", "canceled_at": self.now(), "current_phase": None}
        row |= {"status": "canceled", "ended_at": self.now(), "canceled_at": self.now(), "schedule": None}
        row["cancellation_details"]["reason"] = reason
        self.tell("customer.subscription.deleted", row)
        return row

    # Time

    def renew(self, name: str, *, stays: str = "") -> Row:
        """Turn to the period's end and let happen what happens then; `stays` "draft": the hour before it is tried."""
        row = self._live(name)
        item = _item(row)
        self.turn_to(item["current_period_end"])
        if row["cancel_at"] and row["cancel_at"] <= item["current_period_end"]:
            return self.end(name)
        self._follow_plan(row)
        self._turn(item, item["price"], item["current_period_end"])
        row |= {"status": "active" if row["status"] == "trialing" else row["status"]}
        invoice = self.invoice(row, "subscription_cycle", item["price"]["unit_amount"], currency=row["currency"])
        self.tell("customer.subscription.updated", row)
        if stays != "draft" and row["status"] != "unpaid":
            self.collect(invoice["id"])
        return invoice

    def collect(self, name: str) -> bool:
        """Try to be paid for an invoice, for the first time or once more."""
        invoice = self.get("invoice", name)
        row = self.get("subscription", invoice["parent"]["subscription_details"]["subscription"])
        if invoice["status"] == "draft":
            self.finalize(invoice)
        is_paid = self.pay(invoice)
        row["status"] = "active" if is_paid else "past_due"
        self.tell("customer.subscription.updated", row)
        return is_paid

    def give_up(self, name: str) -> None:
        """The last try has failed; the account is set to keep what is unpaid."""
        row = self._live(name)
        row["status"] = "unpaid"
        self.tell("customer.subscription.updated", row)

    # Plans for later

    def plan(self, fields: Row) -> Row:
        row = self._live(fields["from_subscription"])
        if row["schedule"]:
            raise Refused(400, None, "You cannot migrate a subscription that is already attached to a schedule.")
        item = _item(row)
        span = {"start_date": item["current_period_start"], "end_date": item["current_period_end"]}
        phase = {**span, "items": [{"price": item["price"]["id"], "quantity": 1}], "trial_end": row["trial_end"]}
        phase["discounts"] = [{"coupon": None, "discount": each, "promotion_code": None} for each in row["discounts"]]
        schedule = self.new("subscription_schedule", subscription=row["id"], customer=row["customer"])
        schedule |= {"phases": [phase], "current_phase": span}
        row["schedule"] = schedule["id"]
        self.tell("subscription_schedule.created", schedule)
        return schedule

    def replan(self, name: str, fields: Row) -> Row:
        schedule = self.get("subscription_schedule", name)
        if schedule["status"] not in {"active", "not_started"}:
            raise Refused(400, None, f"You cannot update a subscription schedule that is {schedule['status']}.")
        if str(fields["phases"][0].get("start_date")) != str(schedule["current_phase"]["start_date"]):
            raise Refused(400, None, "You can not modify the start date of the current phase.")
        phases: list[Row] = []
        for asked in fields["phases"]:
            phases.append(self._phase(asked, after=phases[-1]["end_date"] if phases else 0))
        schedule |= {"phases": phases, "end_behavior": fields.get("end_behavior", schedule["end_behavior"])}
        self.tell("subscription_schedule.updated", schedule)
        return schedule

    def _phase(self, asked: Row, *, after: int) -> Row:
        if "iterations" in asked:
            raise Refused(400, "parameter_unknown", "Received unknown parameter: phases[iterations]")
        start = int(asked.get("start_date", after))
        length = asked.get("duration", {})
        if ("end_date" in asked) == bool(length):
            raise Refused(400, None, "A phase needs either an end_date or a duration.")
        end = int(
            asked.get("end_date") or start + DAYS[length["interval"]] * int(length.get("interval_count", 1)) * DAY
        )
        price = self.price(asked["items"][0]["price"])["id"]
        found = {"start_date": start, "end_date": end, "items": [{"price": price, "quantity": 1}]}
        return {**found, "trial_end": asked.get("trial_end"), "discounts": asked.get("discounts", [])}

    def release(self, name: str, *, how: str = "released") -> Row:
        schedule = self.get("subscription_schedule", name)
        if schedule["status"] not in {"active", "not_started"}:
            raise Refused(400, None, f"You cannot release a subscription schedule that is {schedule['status']}.")
        row = self.get("subscription", schedule["subscription"])
        row["schedule"] = None
        schedule |= {"status": how, "released_at": self.now(), "released_subscription": row["id"]}
        schedule |= {"subscription": None, "current_phase": None}
        self.tell(f"subscription_schedule.{how}", schedule)
        return schedule

    def _follow_plan(self, row: Row) -> None:
        if not row["schedule"]:
            return
        schedule, now = self.get("subscription_schedule", row["schedule"]), self.now()
        phase = next((each for each in schedule["phases"] if each["start_date"] <= now < each["end_date"]), None)
        if phase is None:
            self.release(schedule["id"])
            return
        schedule["current_phase"] = {name: phase[name] for name in ("start_date", "end_date")}
        _item(row)["price"] = self.price(phase["items"][0]["price"])
        row["discounts"] = [each["discount"] for each in phase["discounts"]]
        self.tell("subscription_schedule.updated", schedule)

    # Checkout

    def expire(self, name: str) -> Row:
        """A day has gone by and nobody paid, or the shop wants it so."""
        session = self.get("checkout.session", name)
        if session["status"] != "open":
            words = 'Only Checkout Sessions with a status in ["open"] can be expired.'
            raise Refused(400, None, f"{words} This Checkout Session has a status of `{session['status']}`.")
        session["expires_at"] = self.now()
        return self.timely(session) or session

    def complete(self, session: Row, *, email: str, name: str) -> Row:
        """Somebody pays on the page. Often the invoice and the subscription are told of before the session is."""
        plan = self.price(session["price_"])
        if self.declines:
            raise declined(self.declines)
        address = session["customer_email"] or email
        who = session["customer"] or self.new("customer", email=address, name=name)["id"]
        card = self.add_card(who)
        data = session["data_"]
        more = {"card": card["id"], "trial_days": int(data.get("trial_period_days", 0))}
        row = self.begin(who, plan["id"], metadata=dict(data.get("metadata") or {}), **more)
        invoice = self.get("invoice", row["latest_invoice"])
        session |= {"status": "complete", "payment_status": "paid", "customer": who, "url": None}
        session |= {"subscription": row["id"], "invoice": invoice["id"], "amount_total": invoice["total"]}
        session |= {"customer_details": {"email": address, "name": name, "address": None, "tax_ids": []}}
        self.tell("checkout.session.completed", self.shown(session))
        return row


def _item(row: Row) -> Row:
    found: Row = row["items"]["data"][0]
    return found


def _same_rhythm(one: Row, other: Row) -> bool:
    return bool(one["recurring"]["interval"] == other["recurring"]["interval"])
