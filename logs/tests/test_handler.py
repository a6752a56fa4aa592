"""From a log call to a row of AppLog."""

import logging
import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
import structlog
from django.db import connection

from core.spool import SEGMENT_BYTES, SUFFIX
from logs.handler import CATEGORIES, CATEGORY_OF, COLUMNS, AppLogHandler, category_of
from logs.models import AppLog


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.SPOOL_DIR = tmp_path / "spool"
    return settings.SPOOL_DIR


@pytest.fixture
def handler():
    """The only one: what is said reaches no row but through it."""
    root, handler = logging.getLogger(), AppLogHandler()
    before = [each for each in root.handlers if isinstance(each, AppLogHandler)]
    for each in before:
        root.removeHandler(each)
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    handler.spool.close()
    for each in before:
        root.addHandler(each)


@pytest.fixture(autouse=True)
def _no_context():
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def talkative():
    """A logger that says everything."""
    logging.getLogger("accounts.talk").setLevel(logging.DEBUG)
    yield structlog.get_logger("accounts.talk")
    logging.getLogger("accounts.talk").setLevel(logging.NOTSET)


def rows(folder):
    """What waits in the spool, as the shipper would read it."""
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        header, *lines = path.read_bytes().rstrip(b"\0").decode().splitlines()
        if header == f"logs_applog\t{','.join(COLUMNS)}":
            found += [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in lines]
    return found


def metadata(row):
    return orjson.loads(row["metadata"].replace("\\\\", "\\"))


def test_a_warning_becomes_a_row(handler, folder):
    structlog.contextvars.bind_contextvars(request_id="a-request", task_id="a-task")
    structlog.get_logger("accounts.mail").warning("mail_failed", template="reset", smtp_code=550)
    (row,) = rows(folder)
    assert (row["level"], row["category"], row["logger"]) == ("WARNING", "AUTH", "accounts.mail")
    assert (row["message"], row["request_id"], row["task_id"]) == ("mail_failed", "a-request", "a-task")
    assert metadata(row) == {"template": "reset", "smtp_code": 550}


def test_so_does_one_of_the_standard_library(handler, folder):
    structlog.contextvars.bind_contextvars(request_id="a-request")
    logging.getLogger("somebody.else").error("went %s with %s", "wrong", "password=canary")
    (row,) = rows(folder)
    assert (row["level"], row["category"], row["request_id"]) == ("ERROR", "SYSTEM", "a-request")
    assert row["message"] == "went wrong with password=[redacted]"


def test_news_stays_on_stdout_unless_it_says_its_category(handler, folder, talkative):
    talkative.info("news")
    talkative.info("big_news", category="BILLING")
    talkative.debug("detail", category="API")
    logging.getLogger("accounts.talk").info("old news", extra={"category": "SCRAPE"})
    said = [(row["level"], row["category"], row["message"]) for row in rows(folder)]
    assert said == [("INFO", "BILLING", "big_news"), ("DEBUG", "API", "detail"), ("INFO", "SCRAPE", "old news")]


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("accounts.mail", "AUTH"), ("accounts", "AUTH"), ("accountsx", "SYSTEM"), ("social.scrapers.x", "SCRAPE"),
        ("analysis.pipeline", "ANALYSIS"), ("billing.inbox", "BILLING"), ("core.api", "API"), ("core.http", "SYSTEM"),
        ("django.request", "API"), ("core.throttling", "AUTH"), ("root", "SYSTEM"),
    ],
)  # fmt: skip
def test_a_row_without_a_category_is_filed_by_its_logger(name, category):
    assert category_of(None, name) == category_of("NONSENSE", name) == category


def test_categories_and_levels_are_those_of_the_model(handler, folder):
    assert set(AppLog.Category.values) == CATEGORIES
    assert set(CATEGORY_OF.values()) <= CATEGORIES
    for level in (30, 35, 40, 50, 60):
        logging.getLogger("x").log(level, "said")
    assert [row["level"] for row in rows(folder)] == ["WARNING", "WARNING", "ERROR", "CRITICAL", "CRITICAL"]
    assert {row["level"] for row in rows(folder)} <= set(AppLog.Level.values)


def test_an_exception_brings_its_traceback(handler, folder):
    try:
        raise ValueError("token=canary1234")
    except ValueError:
        structlog.get_logger("analysis.x").exception("failed", stage="media")
        logging.getLogger("plain").exception("failed too")
    for row in rows(folder):
        assert metadata(row)["exception"].startswith("Traceback")
        assert "canary" not in str(row)


def test_lengths_are_cut_and_control_characters_spelled_out(handler, folder):
    structlog.contextvars.bind_contextvars(request_id="r" * 500)
    logging.getLogger("l" * 500).warning("a\tb\r\nc\x00\x1b" + "m" * 50_000)
    (row,) = rows(folder)
    message = row["message"].replace("\\\\", "\\")
    assert (len(row["logger"]), len(message), len(row["request_id"])) == (100, 2000, 64)
    assert row["message"].startswith(r"a\\tb\\r\\nc\\x00\\x1bm")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_postgresql_takes_every_row(handler, folder):
    logger = structlog.get_logger("x")
    logger.warning("odd", a="\x00\ud800\u2028\\ \t", b=float("inf"), c=10**40, d={"x\x00": object}, e=b"\xff", f="\\N")
    logging.getLogger("x").warning("\\N")
    path = next(folder.glob(f"*{SUFFIX}"))
    _, _, lines = path.read_bytes().rstrip(b"\0").partition(b"\n")
    with connection.cursor() as cursor, cursor.copy(f"COPY logs_applog ({','.join(COLUMNS)}) FROM STDIN") as copy:
        copy.write(lines)
    assert sorted(AppLog.objects.values_list("message", flat=True)) == ["\\N", "odd"]


def test_what_spools_and_ships_is_not_written_about(handler, folder):
    for name in ("core.spool", "logs.shipper", "logs.handler", "psycopg.pool", "django.db.backends.schema"):
        logging.getLogger(name).error("the database is away")
    assert rows(folder) == []
    logging.getLogger("logs.partitions").error("a month is missing")
    assert len(rows(folder)) == 1


def test_a_full_spool_drops_and_says_later_how_many(handler, folder, settings):
    logger = logging.getLogger("x")
    settings.SPOOL_MAX_BYTES = 0
    start = time.perf_counter()
    for _ in range(100):
        logger.warning("lost")
    assert time.perf_counter() - start < 1
    assert handler.dropped == 100
    settings.SPOOL_MAX_BYTES = 10 * SEGMENT_BYTES
    time.sleep(1.3)
    logger.warning("kept")
    assert [row["message"] for row in rows(folder)] == ["kept", "app_log_lines_dropped: 100"]
    assert handler.dropped == 0


def test_a_folder_that_cannot_be_written_fails_nobody(handler, settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.SPOOL_DIR = tmp_path / "file" / "spool"
    logging.getLogger("x").warning("said all the same")
    assert handler.dropped == 1


def test_a_disk_that_is_full_fails_nobody(handler, folder):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        logging.getLogger("x").warning("said all the same")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert handler.dropped == 1


def test_a_record_that_cannot_be_read_is_still_a_row(handler, folder):
    class Spiteful:
        def __str__(self):
            logging.getLogger("x").warning("from within")
            raise RuntimeError("no")

    logging.getLogger("x").warning("%s", Spiteful())
    logging.getLogger("x").warning("next")
    messages = [row["message"] for row in rows(folder)]
    assert "log_line_unreadable: %s" in messages
    assert messages[-1] == "next"


def test_threads_and_children_write_without_tearing_each_others_lines(handler, folder):
    logger = structlog.get_logger("x")
    logger.warning("first")
    if (child := os.fork()) == 0:
        for number in range(100):
            logger.warning("from the child", number=number)
        os._exit(0)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: logger.warning("from a thread", number=number), range(400)))
    os.waitpid(child, 0)
    said = [row["message"] for row in rows(folder)]
    assert (said.count("from the child"), said.count("from a thread"), len(said)) == (100, 400, 501)


def test_a_row_costs_little(handler, folder):
    """Bound loosely, for a busy machine. Measured: some 40 us."""
    logger = structlog.get_logger("accounts.x")
    start = time.process_time()
    for number in range(1000):
        logger.warning("attempts_limited", scope="login-account", number=number)
    assert (time.process_time() - start) / 1000 < 1e-3
