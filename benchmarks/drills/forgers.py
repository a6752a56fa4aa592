"""Drill 22: deliveries that nobody should believe, over HTTP, at both addresses."""

import base64
import hashlib
import hmac
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson
from django.conf import settings
from django.db.models import Sum

from benchmarks.drills.drill import Outcome, Scene
from benchmarks.drills.senders import send
from benchmarks.drills.served import Server
from benchmarks.drills.till import Signed, open_till
from billing.models import BillingEvent, Payment, RefusedDelivery
from core.queue import count_waiting
from core.webhooks import sign

REFUSED = {400, 401, 413}
TOO_LARGE = 5 * 1024 * 1024
# What it is, how it is sent, and which answers are right.
Attempt = tuple[str, Signed, set[int]]


@dataclass(frozen=True)
class Forger:
    """Who knows how a provider signs, and one of its secrets, or none that is good."""

    provider: str
    secret: str
    made: list[int] = field(default_factory=list)

    def body(self) -> bytes:
        name = f"evt_{secrets.token_hex(8)}"
        if self.provider == "dodo":
            return orjson.dumps({"data": {"payment_id": "pay_forged"}, "id": name, "type": "payment.succeeded"})
        about = {"object": "invoice", "id": "in_forged"}
        return orjson.dumps({"id": name, "type": "invoice.paid", "data": {"object": about}})

    def sign(self, body: bytes, *, secret: str = "", late: float = 0.0) -> dict[str, str]:
        at, secret = time.time() - late, secret or self.secret
        if self.provider == "dodo":
            moment = datetime.fromtimestamp(at, UTC)
            return sign(body, secret=secret, delivery_id=f"msg_{secrets.token_hex(8)}", sent_at=moment)
        digest = hmac.new(secret.encode(), f"{int(at)}.".encode() + body, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={int(at)},v1={digest}"}

    def other_secret(self) -> str:
        return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def forged_and_malformed(scene: Scene) -> Outcome:
    """22: forged, replayed, malformed: refused as the scheme says, counted, never stored, and never a fault of ours."""
    outcome, chance = Outcome(), scene.chance()
    rounds = 3 if scene.short else 100
    with open_till(scene):
        forgers = [
            Forger("dodo", settings.DODO_WEBHOOK_SECRET[0]), Forger("stripe", settings.STRIPE_WEBHOOK_SECRET[0]),
        ]  # fmt: skip
        with Server(scene.home / "forged") as api:
            _try(outcome, api.url, forgers, lambda forger: _attempts(forger, chance, rounds))
        changing = {
            f"{each.provider.upper()}_WEBHOOK_SECRET": f"{each.other_secret()},{each.secret}" for each in forgers
        }
        with Server(scene.home / "changing", **changing) as api:
            _try(outcome, api.url, forgers, lambda forger: [("old secret in its window", _good(forger), {200})])
        changed = {name: both.partition(",")[0] for name, both in changing.items()}
        with Server(scene.home / "changed", **changed) as api:
            _try(outcome, api.url, forgers, lambda forger: [("old secret after its window", _good(forger), {401})])
        with Server(scene.home / "none", **dict.fromkeys(changing, "")) as api:
            _try(
                outcome, api.url, forgers, lambda forger: [("empty secret", each, {503}) for each in _unsigned(forger)]
            )
        _conclude(outcome)
    return outcome


def _try(
    outcome: Outcome, url: str, forgers: list[Forger], attempts: Callable[[Forger], "list[Attempt] | Iterator[Attempt]"]
) -> None:
    for forger in forgers:
        for what, signed, right in attempts(forger):
            status = send(url, forger.provider, signed)
            outcome.require(status in right, f"{forger.provider}: {what} was answered with {status}")
            answers = outcome.facts.setdefault("answers", Counter())
            answers[str(status)] += 1


def _good(forger: Forger) -> Signed:
    body = forger.body()
    return body, forger.sign(body)


def _unsigned(forger: Forger) -> Iterator[Signed]:
    """As whoever knows that there is no secret would sign."""
    body = forger.body()
    yield body, forger.sign(body)
    yield body, {}
    digest = hmac.new(b"", b"1." + body, hashlib.sha256).hexdigest()
    yield body, {"Stripe-Signature": f"t={int(time.time())},v1={digest}"}


def _attempts(forger: Forger, chance: random.Random, rounds: int) -> Iterator[Attempt]:
    for _ in range(rounds):
        yield from _changed(forger, chance)
        yield from _at_another_time(forger)
        yield from _unreadable(forger, chance)


def _changed(forger: Forger, chance: random.Random) -> Iterator[Attempt]:
    body, headers = _good(forger)
    yield "a bit of the body", (_flip(body, chance), headers), {401}
    name = next(name for name in headers if "ignature" in name)
    value = headers[name]
    yield "a bit of the signature", (body, headers | {name: _flip(value.encode(), chance, low=2).decode()}), {400, 401}
    yield "JSON written anew", (orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2), headers), {401}
    yield "another secret", (body, forger.sign(body, secret=forger.other_secret())), {401}
    yield "another one's signature", (forger.body(), headers), {401}


def _at_another_time(forger: Forger) -> Iterator[Attempt]:
    body = forger.body()
    for late in (310.0, 86_400.0, -310.0, -86_400.0):
        yield f"signed {late:.0f} s ago", (body, forger.sign(body, late=late)), {401}


def _unreadable(forger: Forger, chance: random.Random) -> Iterator[Attempt]:
    body, headers = _good(forger)
    yield "no header", (body, {}), {400}
    for name in headers:
        yield f"no {name}", (body, {key: value for key, value in headers.items() if key != name}), {400}
        yield f"an empty {name}", (body, headers | {name: ""}), {400}
        garbage = "".join(chance.choices([chr(code) for code in (*range(33, 127), *range(161, 256))], k=60))
        yield f"garbage as {name}", (body, headers | {name: garbage}), {400, 401}
    yield "not base64", (body, headers | {"webhook-signature": "v1,%%%", "Stripe-Signature": "t=1,v1=%%%"}), {400, 401}
    yield "not UTF-8", (b"\\xff\\xfe" + body, headers), {400, 401}
    yield "no event", (b"[]", forger.sign(b"[]")), {400}
    yield "no JSON", (b"{", forger.sign(b"{")), {400}
    # Whoever goes on talking when all is said may find the line cut, and the answer with it.
    yield "five megabytes", (b"x" * TOO_LARGE, headers), {413, 0}


def _flip(text: bytes, chance: random.Random, *, low: int = 1) -> bytes:
    """One bit; of a header none that would end it."""
    at = chance.randrange(len(text))
    return text[:at] + bytes([text[at] ^ low]) + text[at + 1 :]


def _conclude(outcome: Outcome) -> None:
    answers = outcome.facts["answers"]
    counted = RefusedDelivery.objects.aggregate(total=Sum("count"))["total"]
    refused = answers.total() - answers["200"]
    outcome.facts |= {"answers": dict(answers), "rows_of_refused": RefusedDelivery.objects.count(), "counted": counted}
    outcome.facts["stored"] = BillingEvent.objects.count()
    outcome.require(counted == refused, f"{refused} were refused, {counted} counted")
    outcome.require(outcome.facts["stored"] == answers["200"], "what was refused is stored, or what was taken is not")
    outcome.require((count_waiting("default") or 0) <= answers["200"], "somebody was told of what was refused")
    outcome.require(not Payment.objects.exists(), "something follows from it")
