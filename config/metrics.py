"""GET /metrics: what Prometheus asks for, read from where it is kept and counted nowhere twice (0017).

`shared` numbers come from PostgreSQL and the two Redis servers, so they are the same whichever process answers and
outlive its end; `local` ones are of the process that answers and of its machine. `?only=` asks for one of the two.
"""

import hmac
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db.utils import Error as DatabaseProblem
from django.http import HttpRequest, HttpResponse
from redis.exceptions import RedisError

from config import readings
from config.exposition import CONTENT_TYPE, Metric, Page
from core import redis
from core.api import problem_page
from core.errors import Unauthenticated

logger = structlog.get_logger(__name__)
PATH = "/metrics"
METRICS = {
    f"whyral_{name}": Metric(kind, text, tuple(labels.split()))
    for name, kind, text, labels in (
        ("source_up", "gauge", "1 where this source of numbers answered in time.", "source"),
        ("source_seconds", "gauge", "How long it took to answer.", "source"),
        ("requests_total", "counter", "Requests answered.", "route method status"),
        ("request_seconds", "histogram", "From the request's arrival to the end of its answer.", "route method status"),
        ("vendor_calls_total", "counter", "Finished calls to vendors.", "vendor operation outcome"),
        ("vendor_seconds_total", "counter", "Seconds that calls to vendors took.", "vendor operation outcome"),
        ("vendor_cost_dollars_total", "counter", "What they cost, where a price is known.", "vendor operation model"),
        ("queue_messages", "gauge", "Messages that wait for a worker.", "queue"),
        ("queue_oldest_seconds", "gauge", "How long the message that is next has waited.", "queue"),
        ("queue_taken_messages", "gauge", "Messages that workers hold and have not finished, of all queues.", ""),
        ("queue_dwell_seconds", "histogram", "From a message's sending to its task's start.", "queue"),
        ("tasks_started_total", "counter", "Tasks begun.", "task"),
        ("tasks_finished_total", "counter", "Tasks that came to an end.", "task outcome"),
        ("task_seconds", "histogram", "How long tasks ran.", "task"),
        ("heartbeat_age_seconds", "gauge", "Since beat or a queue's worker showed life, or +Inf.", "part"),
        ("mails_waiting", "gauge", "Mails that are owed and may still be sent.", ""),
        ("mails_oldest_seconds", "gauge", "How long the oldest of them has been owed.", ""),
        ("mails_given_up", "gauge", "Mails that no attempt could send, of the last month.", ""),
        ("erasures_waiting", "gauge", "Accounts whose erasure was asked for and is not finished.", ""),
        ("erasures_oldest_seconds", "gauge", "How long ago the oldest of them was asked for.", ""),
        ("billing_events_waiting", "gauge", "What payment providers told, and nothing was done about yet.", ""),
        ("billing_events_oldest_seconds", "gauge", "How long ago the oldest of it came.", ""),
        ("billing_events_given_up", "gauge", "What no attempt could do anything about.", ""),
        ("log_partitions_missing", "gauge", "Months of log tables that should have been made by now.", ""),
        ("database_connections", "gauge", "Sessions of this database, all processes together.", "application state"),
        ("database_connections_limit", "gauge", "Sessions that the server allows.", ""),
        ("pool_connections", "gauge", "Connections of the answering process's pool.", "state process"),
        ("pool_connections_limit", "gauge", "Connections that the pool may open.", "process"),
        ("pool_requests_waiting", "gauge", "Threads of the answering process that wait for a connection.", "process"),
        ("pool_refusals_total", "counter", "Requests for a connection that waited in vain.", "process"),
        ("stream_readers", "gauge", "Live streams that the answering process serves.", "process"),
        ("spool_segments", "gauge", "Files of log rows on this machine's disk.", ""),
        ("spool_bytes", "gauge", "What they occupy.", ""),
        ("spool_limit_bytes", "gauge", "What they may occupy before requests are refused.", ""),
        ("spool_shippers", "gauge", "1 where a shipper holds the spool's lock.", ""),
        ("spool_oldest_seconds", "gauge", "How long the oldest row that was not shipped has waited.", ""),
    )
}
# One that does not answer takes its own numbers with it and nobody else's.
SOURCES: dict[str, dict[str, Callable[[Page], None]]] = {
    "shared": {"database": readings.ask_database, "redis": readings.ask_redis, "broker": readings.ask_broker},
    "local": {"pool": readings.look_at_pool, "streams": readings.look_at_streams, "spool": readings.look_at_spool},
}


class MetricsMiddleware:
    """Answers before host names, redirects, limits and the access log are looked at.

    Prometheus calls each process by an address that is in no ALLOWED_HOSTS, over plain HTTP, and cannot be told to send
    another Host.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path != PATH or not (settings.METRICS_TOKEN or settings.DEBUG):
            return self.get_response(request)
        return answer(request)


def answer(request: HttpRequest) -> HttpResponse:
    if not _may_ask(request.headers.get("Authorization", "")):
        refusal = problem_page(Unauthenticated("These numbers need METRICS_TOKEN as a bearer token."), request)
        refusal["WWW-Authenticate"] = "Bearer"
        return refusal
    return HttpResponse(collect(request.GET.get("only", "")).render(), content_type=CONTENT_TYPE)


def _may_ask(authorization: str) -> bool:
    expected = f"Bearer {settings.METRICS_TOKEN}"
    return not settings.METRICS_TOKEN or hmac.compare_digest(authorization.encode(), expected.encode())


def collect(only: str = "") -> Page:
    page = Page(METRICS)
    for name, read in (SOURCES.get(only) or {**SOURCES["shared"], **SOURCES["local"]}).items():
        _read_from(name, read, page)
    return page


def _read_from(source: str, read: Callable[[Page], None], page: Page) -> None:
    start = time.perf_counter()
    try:
        read(page)
        up = 1
    except (DatabaseProblem, redis.RedisAway, RedisError, OSError) as error:
        logger.warning("metrics_source_away", source=source, error=type(error).__name__)
        up = 0
    page.add("whyral_source_up", up, source=source)
    page.add("whyral_source_seconds", time.perf_counter() - start, source=source)
