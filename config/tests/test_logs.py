"""How the service speaks, on a real stdout."""

import json
import subprocess
import sys
import time
from pathlib import Path

import orjson

START = """
import logging, logging.config, sys
from config.logs import logging_config
config = logging_config(readable={readable}, level="INFO")
config["root"]["handlers"] = ["stdout"]
del config["handlers"]["app_log"]
logging.config.dictConfig(config)
import structlog
logger, plain = structlog.get_logger("accounts.x"), logging.getLogger("celery.x")
def fail(words):
    raise ValueError(words)
"""
ROOT = Path(__file__).resolve().parent.parent.parent


def said(code, *, readable=False):
    script = START.format(readable=readable) + code
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_both_kinds_of_records_leave_without_their_secrets():
    code = """
logger.warning("signed in with Bearer canary-1", password="canary-2", headers={"Cookie": "canary-3"}, n=1)
plain.error("Task x[%s] raised: %s", "id", ValueError("password=canary-4"))
plain.warning("args: %s", {"token": "canary-5"})
"""
    lines = said(code)
    assert [orjson.loads(line)["level"] for line in lines] == ["warning", "error", "warning"]
    assert orjson.loads(lines[0])["n"] == 1
    assert "canary" not in "".join(lines)


def test_what_an_exception_says_is_cleaned_and_its_traceback_kept():
    code = """
for speak in (logger.exception, plain.exception):
    try:
        fail("postgresql://ana:canary@db/x and password=canary")
    except ValueError:
        speak("failed")
"""
    for readable in (False, True):
        text = "\n".join(said(code, readable=readable))
        assert "canary" not in text
        assert text.count("ValueError: postgresql://[redacted]@db/x and password=[redacted]") == 2
        assert "in fail" in text


def test_nobody_can_make_a_line_of_their_own():
    code = r"""
logger.warning("path /a\r\n{\"event\": \"forged\"}\x1b[31m", name2="b\nforged", **{"na\nme": "x"})
plain.warning("path %s", "/a\nforged\u2028forged\x85forged")
"""
    for readable in (False, True):
        lines = said(code, readable=readable)
        assert len(lines) == 2
        assert "\x1b" not in "".join(lines)


def test_nor_with_the_words_of_an_exception():
    code = r"""
try:
    fail("bad\n2026-11-21T10:00:00Z [info] forged\r2026\u2028forged")
except ValueError:
    logger.exception("failed")
"""
    (line,) = said(code)
    assert "forged" in orjson.loads(line)["exception"]
    first, *trace = said(code, readable=True)
    assert "failed" in first
    assert all(line.startswith("    ") for line in trace)


def test_a_record_that_does_not_fit_its_arguments_tells_of_neither():
    (line,) = said('plain.error("for %s and %s", "Bearer canary")')
    assert orjson.loads(line)["event"] == "log_line_unreadable: for %s and %s"


def test_an_event_of_any_size_and_kind_is_one_line_of_json():
    code = """
class Odd:
    def __repr__(self):
        fail("no")
logger.warning("odd", odd=Odd(), number=10**30, none=None, nan=float("nan"), half="\\ud800", sets={1})
logger.warning("big", rows=["x" * 1000] * 1000, request_id="a-request")
"""
    odd, big = said(code)
    assert json.loads(odd)["nan"] is None
    assert len(big) < 60_000
    assert json.loads(big)["request_id"] == "a-request"


def test_a_line_costs_little():
    """Bound loosely: the machine that runs this is busy. Measured: some 30 us, of which the rule takes 9."""
    code = """
import time
vendor = dict(vendor="youtube", operation="videos", method="GET", host="www.googleapis.com", status=200, outcome="ok",
    duration_ms=123, bytes=2000, attempts=1, request_id="0197a1b2-0000-7000-8000-000000000000")
start = time.process_time()
for number in range(2000):
    logger.info("vendor_call", **vendor)
logger.info("took", seconds=time.process_time() - start)
"""
    start = time.perf_counter()
    lines = said(code)
    assert orjson.loads(lines[-1])["seconds"] / 2000 < 500e-6
    assert time.perf_counter() - start < 30
