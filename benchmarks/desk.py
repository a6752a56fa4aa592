"""The desk: its start page, and lists of the access log, over a million rows; from the address to the page."""

import statistics
import time
from pathlib import Path

from django.db import connection
from django.test import Client, override_settings

from accounts.models import User
from benchmarks.machine import on_server_core
from benchmarks.measure import ROUNDS, Figure, Line
from benchmarks.seed import people

ROWS = 1_000_000
CALLS = 3
RED = 300.0
LINE = Line(f"a page of the desk over {ROWS:,} log rows", "ms", target=150.0, red=RED)
LOG = "/admin/analytics/apiaccesslog/"
PAGES = {
    "desk-start": {"start page": "/admin/"},
    "desk-list": {
        "newest": LOG,
        "failures": f"{LOG}?status=5",
        "one user": f"{LOG}?q=user7@bench.example",
        "no such method": f"{LOG}?method=DELETE",
    },
}
# Four days, a hundred routes, the last of them slow; one request in two hundred fails.
REQUESTS = """
INSERT INTO analytics_apiaccesslog
    (id, created_at, method, route, status, duration_us, ip, user_agent, user_id, request_id, error_code)
SELECT
    gen_random_uuid(), now() - n * interval '340 milliseconds', CASE WHEN n %% 5 = 0 THEN 'POST' ELSE 'GET' END,
    '/api/part' || n %% 100 || '/', CASE WHEN n %% 200 = 0 THEN 500 WHEN n %% 30 = 0 THEN 404 ELSE 200 END,
    1000 + n %% 9973 * (n %% 100), '192.0.2.1', 'Mozilla/5.0 (X11; Linux x86_64)',
    (%(people)s::uuid[])[1 + n %% cardinality(%(people)s::uuid[])], 'request-' || n, ''
FROM generate_series(1, %(rows)s) n
"""
LINES = """
INSERT INTO logs_applog (id, created_at, level, category, logger, message, metadata, request_id, task_id)
SELECT gen_random_uuid(), now() - n * interval '30 seconds', CASE WHEN n %% 50 = 0 THEN 'ERROR' ELSE 'WARNING' END,
    'API', 'analysis', 'A line', '{}', 'request-' || n, ''
FROM generate_series(1, 10000) n
"""
CALLS_MADE = """
INSERT INTO analytics_externalapicalllog
    (id, created_at, vendor, operation, model, outcome, duration_ms, attempts, units, error, request_id)
SELECT gen_random_uuid(), now() - n * interval '4 minutes', 'gemini', 'generate', 'gemini-3.8-flash', 'ok', 900, 1,
    '{"input_tokens": 5000, "output_tokens": 800}', '', 'request-' || n
FROM generate_series(1, 10000) n
"""


def measure(home: Path, wanted: set[str]) -> list[Figure]:
    _fill()
    # Nobody asks for a static file here, so none has been collected.
    plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    with override_settings(STORAGES=plain), on_server_core():
        client = Client(HTTP_HOST="bench.example")
        client.force_login(User.objects.create_superuser("staff@bench.example", "a long password"))
        return [_figure(client, name, PAGES[name]) for name in PAGES if name in wanted]


def _fill() -> None:
    everybody = [person.id for person in people()]
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        for statement in (REQUESTS, LINES, CALLS_MADE):
            cursor.execute(statement, {"people": everybody, "rows": ROWS})
        cursor.execute("VACUUM ANALYZE analytics_apiaccesslog, logs_applog, accounts_user")


def _figure(client: Client, name: str, pages: dict[str, str]) -> Figure:
    """The slowest of the pages counts; each is in the detail."""
    taken = [{page: _milliseconds(client, path) for page, path in pages.items()} for _ in range(ROUNDS)]
    medians = {page: statistics.median(times[page] for times in taken) for page in pages}
    detail = ", ".join(f"{page} {ms:.0f} ms" for page, ms in medians.items())
    return Figure(name, LINE, tuple(max(times.values()) for times in taken), detail)


def _milliseconds(client: Client, path: str) -> float:
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        answer = client.get(path, secure=True)
        times.append((time.perf_counter() - start) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code}")
    return statistics.median(times)
