"""Processes that are held up by another one."""

import os
import signal
import sys
import time

import pytest

from config.children import Child, ChildDied, Children

# From Python 3.12 on it warns of a fork beside threads, and other tests may have left one.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def children(said):
    children = Children(say=said.append, changed=lambda _: None)
    yield children
    children.stop(hurry=lambda: True)


def python(name: str, code: str) -> Child:
    return Child(name, [sys.executable, "-c", code])


def listen(children: Children, *, until) -> None:
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        children.mirror(seconds=0.1)
        children.restart_dead()


def test_what_a_child_says_is_repeated_under_its_name(children, said):
    children.start(python("web", "print('one'); print('two'); import time; time.sleep(60)"))
    listen(children, until=lambda: len(said) == 2)
    assert said == ["web      | one", "web      | two"]


def test_a_killed_child_is_started_again(children, said):
    child = python("web", SLEEP)
    children.start(child)
    listen(children, until=lambda: said)
    os.kill(child.process.pid, signal.SIGKILL)
    listen(children, until=lambda: said.count("web      | up") == 2)
    assert "whyral: web died (signal 9) and is started again in 1 s" in said


def test_a_child_that_gives_up_while_starting_ends_it_all_with_its_last_words(children):
    children.start(python("beat", "raise SystemExit('no such table')"))
    with pytest.raises(ChildDied, match=r"beat stopped while starting \(exit code 1\)(.|\n)*no such table"):
        listen(children, until=lambda: False)


def test_a_child_that_keeps_dying_is_given_up(children, said):
    child = python("beat", "import os; os.kill(os.getpid(), 9)")
    child.deaths.extend([time.monotonic()] * 5)
    children.start(child)
    with pytest.raises(ChildDied, match="died 6 times within a minute"):
        listen(children, until=lambda: False)


def test_a_second_request_to_stop_ends_a_child_that_does_not_listen(children, said):
    child = python("worker", DEAF)
    children.start(child)
    listen(children, until=lambda: said)
    pid = child.process.pid
    begin = time.monotonic()
    children.stop(hurry=lambda: time.monotonic() - begin > 0.5)
    assert time.monotonic() - begin < 5
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_a_dead_child_started_does_not_outlive_it(children, said):
    start_another = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {DEAF!r}]).pid, flush=True)"
    children.start(python("cpu", f"{start_another}; import time; time.sleep(60)"))
    listen(children, until=lambda: any(line.strip("cpu |").isdecimal() for line in said))
    grandchild = next(int(line.strip("cpu |")) for line in said if line.strip("cpu |").isdecimal())
    children.stop(hurry=lambda: True)
    deadline = time.monotonic() + 5
    while os.path.exists(f"/proc/{grandchild}") and time.monotonic() < deadline:  # noqa: PTH110
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{grandchild}")  # noqa: PTH110


def test_what_finishes_the_others_work_is_asked_to_stop_when_they_have_ended(children, said):
    last_words = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('{}')))"
    slow = f"{last_words.format('first')}; print('up', flush=True); time.sleep(60)"
    shipper = python("shipper", f"{last_words.format('last')}; print('up', flush=True); time.sleep(60)")
    shipper.ends_last = True
    children.start(shipper, python("web", slow))
    listen(children, until=lambda: len(said) == 2)
    children.stop(hurry=lambda: False)
    assert said[2:] == ["web      | first", "shipper  | last"]
