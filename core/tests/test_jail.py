"""The jail: whatever happens inside, we go on, and nothing of it is left."""

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from core import errors, jail


def act(name, *, seconds=20.0, memory_mb=1000, **options):
    bounds = {key: options.pop(key) for key in ("file_mb", "reach", "allowed") if key in options}
    return jail.run("core.tests.jailed", {"act": name, **options}, seconds=seconds, memory_mb=memory_mb, **bounds)


def test_work_gives_back_what_it_found():
    assert act("echo", words="äöü \N{GRINNING FACE}") == {"act": "echo", "words": "äöü \N{GRINNING FACE}"}


def test_a_refusal_comes_out_with_its_details():
    with pytest.raises(jail.Refusal) as refusal:
        act("refuse")
    assert (refusal.value.code, refusal.value.details) == ("media_too_large", {"limit": 7})


@pytest.mark.parametrize("name", ["fail", "crash", "segfault", "hog", "large"])
def test_whatever_breaks_inside_is_one_error_outside(name):
    with pytest.raises(jail.JailBroken):
        act(name)


@pytest.mark.parametrize("name", ["sleep", "flood", "spin"])
def test_what_does_not_end_is_ended(name):
    started = time.monotonic()
    with pytest.raises(errors.VendorTimeout):
        act(name, seconds=1.5)
    assert time.monotonic() - started < 10


def test_what_is_printed_is_not_taken_for_the_answer():
    assert act("print") is None


def test_nothing_of_our_environment_is_seen_inside(monkeypatch):
    monkeypatch.setenv("BRIGHTDATA_API_KEY", "a-secret")
    assert {*act("environment")} <= {"PATH", "PYTHONIOENCODING", "LC_CTYPE"}


def test_a_child_left_behind_is_ended():
    pid = act("leave_a_child")
    with suppress(ProcessLookupError):
        for _ in range(200):
            os.kill(pid, 0)
            if is_zombie(pid):
                return
            time.sleep(0.02)
        raise AssertionError


def is_zombie(pid):
    with suppress(FileNotFoundError), open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "Z"
    return True


def test_a_file_grows_no_further_than_allowed(tmp_path):
    path = tmp_path / "file"
    assert act("write", path=str(path), file_mb=1) == "27"
    assert path.stat().st_size <= 2**20


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def connections(listener):
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return 0
    return 1


@pytest.mark.parametrize("reach", ["nothing", "public"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "127.1", "::ffff:127.0.0.1", "2130706433"])  # noqa: S104
def test_no_private_address_is_reached_by_any_name(listener, host, reach):
    assert act("connect", host=host, port=listener.getsockname()[1], reach=reach) != "connected"
    assert connections(listener) == 0


def test_what_is_allowed_is_reached(listener):
    port = listener.getsockname()[1]
    assert act("connect", host="127.0.0.1", port=port, reach="public", allowed=[f"127.0.0.1:{port}"]) == "connected"
    assert connections(listener) == 1


def test_many_at_once_leave_nothing_open():
    def ask(number):
        return act("echo", number=number)["number"]

    act("echo")
    before = len([*Path("/proc/self/fd").iterdir()])
    with ThreadPoolExecutor(4) as threads:
        assert [*threads.map(ask, range(12))] == [*range(12)]
    assert len([*Path("/proc/self/fd").iterdir()]) <= before
