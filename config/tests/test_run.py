"""`make run`, from the first line to the last process."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from config.leftovers import end_leftovers, processes, write_record
from tests.running import PATIENCE_SECONDS, Person, read_banner, running, until


def status_of(port: int, path: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path)
        with connection.getresponse() as response:
            return response.status


def processes_of(home: Path) -> list[str]:
    groups = set(json.loads((home / "run.json").read_text())["children"].values())
    return [command for _, group, command in processes() if group in groups or str(home) in command]


@pytest.fixture
def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_it_starts_everything_refuses_a_second_run_and_leaves_nothing_behind(tmp_path, port):
    with running(tmp_path, port) as first:
        banner = read_banner(first)
        assert f"http://127.0.0.1:{port}/admin/" in banner
        assert len(re.findall(r"password \S{16}  \(shown only this once\)", banner)) == 2
        assert status_of(port, "/health/ready/") == 200
        assert status_of(port, "/api/docs/") == 200
        assert len(processes_of(tmp_path)) >= 7
        groups = set(json.loads((tmp_path / "run.json").read_text())["children"].values())
        with running(tmp_path, port) as second:
            assert f"already running here: process {first.pid}, http://127.0.0.1:{port}" in second.stdout.read()
        first.send_signal(signal.SIGINT)
        assert first.wait(PATIENCE_SECONDS) == 0
    assert [command for _, group, command in processes() if group in groups or str(tmp_path) in command] == []


def test_it_sells_plans_clears_up_after_a_killed_run_and_finds_its_data(tmp_path, port):
    with running(tmp_path, port) as killed:
        assert "the sandbox's checkout" in read_banner(killed)
        with Person(port) as person, Person(port) as another:
            buys_after_a_declined_card(person)
            page = another.checkout("pro")
            killed.kill()
            with running(tmp_path, port) as next_run:
                assert "(shown only this once)" not in read_banner(next_run)
                # The sandbox still knows what it sold.
                assert person.posted("billing/cancel/")["status"] == "CANCELING"
                assert another.checkout("pro") == page
                assert press(page, "pay").endswith("status=active")
                until(lambda: another.is_on("pro"))


def buys_after_a_declined_card(person):
    free = person.limits()
    assert press(person.checkout("pro"), "decline").endswith("status=failed")
    assert press(person.checkout("pro"), "pay").endswith("status=active")
    until(lambda: person.is_on("pro"))
    assert all(limit > free[name] for name, limit in person.limits().items() if free[name] >= 0)
    until(lambda: sorted(person.paid()) == [("FAILED", 2900), ("SUCCEEDED", 2900)])


def press(page: str, button: str) -> str:
    """Where the checkout leads to then."""
    answer = httpx.post(page, data={"action": button}, trust_env=False)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_it_names_a_taken_port_and_a_free_one(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as stranger, running(tmp_path, stranger.getsockname()[1]) as refused:
        words = refused.stdout.read()
    assert re.search(r"is taken by another program. Try: PORT=\d+ make run", words)
    assert refused.returncode == 1


def test_leftovers_are_ended_and_strangers_are_not(tmp_path):
    ours = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    write_record(tmp_path, {"children": {"web": ours.pid, "beat": stranger.pid}})
    try:
        assert end_leftovers(tmp_path) == 1
        assert ours.wait(PATIENCE_SECONDS) == -signal.SIGTERM
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
