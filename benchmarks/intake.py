"""P9 and P10: how many webhooks a server takes, against the cheapest way to keep as many rows; how long they wait."""

import base64
import contextlib
import hashlib
import hmac
import itertools
import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psycopg
from django.conf import settings
from django.db import connection

from benchmarks.load import Client, Pace
from benchmarks.machine import on_server_core
from benchmarks.measure import Cost, Figure, Line, cost_of, rounds
from benchmarks.servers import Server, only
from billing.models import BillingEvent
from core import redis
from core.ids import uuid7
from core.webhooks import sign

# As many as wait for each other's commits; providers send from many machines at once.
SENDERS = 8
# As many as the image has for each of its processes.
THREADS = 8
EVENTS = 1_000
PACED_SECONDS, SHARE = 2.0, 0.7
WARM_UP = 300
DODO_SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
STRIPE_SECRET = "whsec_of_the_benchmark_0123456789"
KEYS = {
    "DODO_API_KEY": "dodo_test_benchmark", "DODO_WEBHOOK_SECRET": DODO_SECRET,
    "STRIPE_SECRET_KEY": "sk_test_benchmark", "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
}  # fmt: skip
# What a payment weighs as it comes from Dodo.
FILLING = {f"field_{number}": "x" * 40 for number in range(30)}
PLAIN = """
    INSERT INTO billing_billingevent (id, created_at, provider, delivery_id, type, body, headers, about, state,
        attempts, run_after, error) VALUES (%s, now(), 'plain', %s, 'payment.succeeded', %s, %s, '{}', 'received', 0,
        now(), '')
"""
RATE = "webhooks a second: verified, stored once, handed on / plain INSERTs"
WAIT = "webhooks at 70 % of that rate: wait for the answer, 99th percentile"
LINES = {
    "P9": Line(RATE, "x rate", target=0.65, red=0.65, more_is_better=True),
    "P10": Line(WAIT, "ms", target=25, red=25),
}
_numbers = itertools.count(1)


class Miscounted(Exception):
    """Not every event that was sent is there."""


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    with only("ours", home, threads=THREADS, **KEYS) as server:
        figures = [each for name in POST for each in _of(name, server)]
    return [figure for figure in figures if figure.id.partition(" ")[0] in wanted]


def _of(name: str, server: Server) -> Iterator[Figure]:
    make = POST[name]
    client = Client(server.port, connections=SENDERS)
    client.fetch([make() for _ in range(WARM_UP)])
    taken = rounds({"plain": _plain, "ours": lambda: _sent(client, make, server)})
    rates = {side: 1 / statistics.median(each[side].wall for each in taken) for side in ("plain", "ours")}
    told = ", ".join(f"{side} {rate:.0f}/s" for side, rate in rates.items())
    cpu = statistics.median(each["ours"].cpu for each in taken) * 1e6
    ratios = tuple(each["plain"].wall / each["ours"].wall for each in taken)
    yield Figure(f"P9 {name}", LINES["P9"], ratios, f"{told}; {cpu:.0f} us CPU each")
    paced = [_paced_after(client, make, server) for _ in taken]
    tail = tuple(waits[int(len(waits) * 0.99)] * 1000 for _, waits in paced)
    slowest, rate = max(waits[-1] for _, waits in paced), statistics.median(rate for rate, _ in paced)
    yield Figure(f"P10 {name}", LINES["P10"], tail, f"at {rate:.0f}/s; the longest of all {slowest * 1000:.0f} ms")
    client.close()


def _paced_after(client: Client, make: Callable[[], bytes], server: Server) -> tuple[float, list[float]]:
    """At its share of what was taken just before: a machine that is slower now is not asked for what it was."""
    rate = SHARE / _sent(client, make, server).wall
    return rate, _paced(server, make, rate)


def _plain() -> Cost:
    """The cheapest way there is from Python: a prepared statement on the driver's own cursor, the same row."""
    body, headers = orjson.dumps(_event()), orjson.dumps(dict.fromkeys(("a", "b", "c"), "x" * 40)).decode()
    connection.ensure_connection()

    def insert() -> None:
        with psycopg.Cursor(connection.connection) as cursor:
            for _ in range(EVENTS):
                cursor.execute(PLAIN, [uuid7(), str(uuid7()), body, headers], prepare=True, binary=True)

    with on_server_core(), _all_kept(EVENTS):
        return cost_of(insert, units=EVENTS)


def _sent(client: Client, make: Callable[[], bytes], server: Server) -> Cost:
    # Signed before the clock starts, and just before: a signature is good for five minutes.
    requests = [make() for _ in range(EVENTS)]
    with _all_kept(EVENTS):
        return cost_of(lambda: client.fetch(requests), units=EVENTS, cpu_clock=server.cpu)


def _paced(server: Server, make: Callable[[], bytes], rate: float) -> list[float]:
    requests = [make() for _ in range(int(rate * PACED_SECONDS))]
    with _all_kept(len(requests)):
        return sorted(Pace(server.port, SENDERS * 2).send(requests, rate=rate))


@contextlib.contextmanager
def _all_kept(count: int) -> Iterator[None]:
    before = BillingEvent.objects.count()
    yield
    if (kept := BillingEvent.objects.count() - before) != count:
        raise Miscounted(f"{kept} events were kept of {count}")
    # Nobody works here: what was handed on would pile up.
    redis.client().flushall()


def _event() -> dict[str, object]:
    data = {"payment_id": f"pay_{next(_numbers)}", "subscription_id": "sub_1", **FILLING}
    return {"business_id": "bus_1", "data": data, "timestamp": "2026-11-02T10:15:31Z", "type": "payment.succeeded"}


def _dodo() -> bytes:
    body = orjson.dumps(_event())
    headers = sign(body, secret=DODO_SECRET, delivery_id=f"msg_{secrets.token_hex(12)}", sent_at=datetime.now(UTC))
    return _posted("dodo", body, headers)


def _stripe() -> bytes:
    about = {"object": "invoice", "id": f"in_{next(_numbers)}", "subscription": "sub_1", **FILLING}
    event = {"id": f"evt_{secrets.token_hex(12)}", "type": "invoice.paid", "data": {"object": about}}
    body, moment = orjson.dumps(event), int(time.time())
    digest = hmac.new(STRIPE_SECRET.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return _posted("stripe", body, {"stripe-signature": f"t={moment},v1={digest}"})


POST: dict[str, Callable[[], bytes]] = {"dodo": _dodo, "stripe": _stripe}


def _posted(provider: str, body: bytes, headers: dict[str, str]) -> bytes:
    """As the proxy in front of a deployment hands it on."""
    lines = [f"POST /api/billing/webhook/{provider}/ HTTP/1.1", f"Host: {settings.ALLOWED_HOSTS[0]}"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "User-Agent: benchmark"]
    lines += ["X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.7"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
