"""`make run`: one process that holds all the others up, from the embedded servers to beat, until Ctrl-C."""

import contextlib
import errno
import fcntl
import http.client
import importlib
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import OperationalError

from config.banner import banner
from config.children import Child, ChildDied, Children
from config.env import local_dir, uses_embedded_servers
from config.leftovers import end_leftovers, read_record, write_record
from config.stand_ins import CannotStandIn, books, is_stood_in_for, sells, stand_in
from core import embedded

if TYPE_CHECKING:
    from accounts.demo import Demo

READY_SECONDS = 60.0
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


class CannotRun(Exception):
    """Something that only a person can put right stands in the way."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the service listens."""

    host: str
    port: int

    @property
    def reachable_host(self) -> str:
        return ANYWHERE.get(self.host, self.host)

    @property
    def url(self) -> str:
        host = self.reachable_host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class Stop:
    """Counts how often it was asked for: once is in order, twice is in a hurry."""

    def __init__(self) -> None:
        self.times = 0
        self.make = Make(os.getppid()) if os.environ.get("MAKELEVEL") else None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._count)

    def _count(self, *_: int | FrameType | None) -> None:
        self.times += 1

    @property
    def asked(self) -> bool:
        return self.times > 0 or (self.make is not None and self.make.has_stopped())

    def in_a_hurry(self) -> bool:
        return self.times > 1

    def say(self, text: str) -> None:
        try:
            print(text, flush=True)
        except OSError:
            # The terminal, or whoever read our output, is gone.
            self.times = self.times or 1
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Make:
    """The make that runs us: it passes a SIGTERM on, but no SIGINT that reached it alone, and no SIGKILL of course."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.listened = self._catches_interrupts()

    def has_stopped(self) -> bool:
        return os.getppid() != self.pid or (self.listened and not self._catches_interrupts())

    def _catches_interrupts(self) -> bool:
        # It takes its handler away at the first SIGINT and waits for us from then on.
        status = Path(f"/proc/{self.pid}/status")
        if not status.exists():
            return False
        caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", status.read_text(), re.MULTILINE)
        return caught is not None and bool(int(caught[1], 16) >> (signal.SIGINT - 1) & 1)


def main() -> None:
    stop = Stop()
    os.environ["DEBUG"] = os.environ.get("DEBUG") or "true"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        address = read_address()
        home = local_dir().resolve()
        with _only_run(home):
            run(home=home, address=address, stop=stop)
    except (CannotRun, ChildDied, CannotStandIn, embedded.EmbeddedServerProblem, ImproperlyConfigured) as problem:
        sys.exit(f"whyral: {problem}")
    except OperationalError as error:
        sys.exit(f"whyral: the database does not answer: {str(error).strip().splitlines()[0]}")


def read_address() -> Address:
    port = os.environ.get("PORT") or "8000"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise CannotRun(f"PORT must be a number from 1 to 65535, not {port!r}.")
    return Address(host=os.environ.get("HOST") or "127.0.0.1", port=int(port))


@contextlib.contextmanager
def _only_run(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    with (home / "run.lock").open("w") as lock:
        try:
            # The kernel lets go of it when we die, however we die: it cannot be stale.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise CannotRun(_who_runs(home)) from taken
        yield


def _who_runs(home: Path) -> str:
    record = read_record(home)
    return (
        f"`make run` is already running here: process {record.get('pid')}, {record.get('address')}. "
        f"Stop it with Ctrl-C in its terminal or with: kill {record.get('pid')}"
    )


def run(*, home: Path, address: Address, stop: Stop) -> None:
    if ended := end_leftovers(home):
        stop.say(f"whyral: ended {ended} processes that a killed run had left behind")
    require_free_port(address)

    def record(children: dict[str, int]) -> None:
        write_record(home, {"pid": os.getpid(), "address": address.url, "children": children})

    record({})
    children = Children(say=stop.say, changed=record)
    with embedded.servers(home) if uses_embedded_servers() else contextlib.nullcontext():
        try:
            serve(address=address, children=children, stop=stop)
        finally:
            children.stop(hurry=stop.in_a_hurry)
            (home / "run.json").unlink(missing_ok=True)


def require_free_port(address: Address) -> None:
    try:
        _bind(address)
    except socket.gaierror as error:
        raise CannotRun(f"HOST={address.host} is not an address of this machine.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            free = next((port for port in range(address.port + 1, 65536) if _is_free(address.host, port)), 8000)
            raise CannotRun(f"port {address.port} is taken by another program. Try: PORT={free} make run") from error
        raise CannotRun(f"{address.host}:{address.port} cannot be used: {error.strerror}.") from error


def _is_free(host: str, port: int) -> bool:
    try:
        _bind(Address(host, port))
    except OSError:
        return False
    return True


def _bind(address: Address) -> None:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as listener:
        # Connections of a server that has just ended do not occupy its port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))


def serve(*, address: Address, children: Children, stop: Stop) -> None:
    sandbox = stand_in(api=address.url)
    # The web server reads its code while the database is looked after here.
    web = _web(address)
    children.start(web)
    demo = _prepare_database()
    products = _stock_shop()
    if sandbox:
        children.start(sells(sandbox, products))
    _wait_until_ready(address=address, children=children, stop=stop)
    web.settled = True
    if not stop.asked:
        # After the web server, not beside it: reading their code takes processor time from what somebody waits for.
        children.start(*_workers())
        stop.say(banner(url=address.url, demo=demo))
    while not stop.asked:
        children.mirror(seconds=0.2)
        children.restart_dead()
    stop.say("whyral: stopping")


def _web(address: Address) -> Child:
    where = ["--host", address.host, "--port", str(address.port)]
    # An open stream would hold up the end for as long as somebody listens to it.
    options = ["--interface", "asgi", "--no-ws", "--log-level", "warning", "--workers-kill-timeout", "3"]
    return Child("web", [sys.executable, "-m", "granian", *options, *where, "config.asgi:application"])


def _workers() -> list[Child]:
    celery = [sys.executable, "-m", "celery", "--quiet", "--app", "config"]
    # Celery warns those who run it as root, at length; a container often has nobody else.
    as_root = {"PYTHONWARNINGS": "ignore:You're running the worker"} if os.geteuid() == 0 else {}
    worker = [*celery, "worker", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
    threads = ["--queues", "io,default", "--pool", "threads", "--concurrency", "8", "--hostname", "threads@%h"]
    # By themselves: nobody who has asked something waits behind ten posts that are being collected.
    chats = ["--queues", "chat", "--pool", "threads", "--concurrency", "8", "--hostname", "chats@%h"]
    processes = ["--queues", "cpu", "--pool", "prefork", "--concurrency", "1", "--hostname", "processes@%h"]
    beat = ["beat", "--loglevel", "WARNING"]
    # Not through manage.py, which would hold the embedded servers up a second time.
    shipper = [sys.executable, "-m", "django", "ship_logs"]
    return [
        Child("worker", [*worker, *threads], as_root),
        Child("chat", [*worker, *chats], as_root),
        Child("cpu", [*worker, *processes], as_root),
        Child("beat", [*celery, *beat]),
        Child("shipper", shipper, ends_last=True),
    ]


def _prepare_database() -> "Demo":
    django.setup()
    executor = MigrationExecutor(connection)
    # `migrate` also goes through every model's permissions, which costs a second even where nothing is to be done.
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)
    # Models can be imported only now that Django is set up.
    demo: Demo = importlib.import_module("accounts.demo").seed_demo()
    return demo


def _stock_shop() -> list[dict[str, Any]]:
    """What the sandbox sells; where a real account may sell from now on, nothing of it is left."""
    shop = importlib.import_module("billing.stand_in")
    with contextlib.closing(connection):
        if is_stood_in_for("DODO_API_KEY"):
            return shop.put_on_sale()  # type: ignore[no-any-return]
        shop.take_off_sale(books())
        return []


def _wait_until_ready(*, address: Address, children: Children, stop: Stop) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not stop.asked and not _answers(address):
        children.mirror(seconds=0.1)
        children.restart_dead()
        if time.monotonic() > deadline:
            raise CannotRun(f"{address.url}/health/ready/ did not answer 200 within {READY_SECONDS:.0f} s.")


def _answers(address: Address) -> bool:
    request = http.client.HTTPConnection(address.reachable_host, address.port, timeout=2)
    try:
        request.request("GET", "/health/ready/")
        return request.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        request.close()


if __name__ == "__main__":
    main()
