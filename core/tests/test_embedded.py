"""The embedded servers: started by the first, stopped by the last, taken over after a kill."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psycopg
import pytest
from redis import Redis

from core.embedded import EmbeddedServerProblem, places, redis, redis_url, servers
from core.embedded.places import make_socket_folder
from core.embedded.processes import program_of

HOLD = """
import sys
from pathlib import Path
from core.embedded import servers
with servers(Path(sys.argv[1]), durable=False):
    print("up", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("embedded")


def holder(home):
    command = [sys.executable, "-c", HOLD, str(home)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    return process


def let_go(process):
    process.communicate("go\n", timeout=30)


def ask(home, question="SELECT 1"):
    with psycopg.connect(host=str(places.socket_folder(home)), user="postgres", dbname="whyral") as connection:
        return connection.execute(question).fetchone()[0]


def is_up(home):
    try:
        ask(home)
    except psycopg.OperationalError:
        return False
    with contextlib.closing(Redis.from_url(redis_url(home))) as client:
        return bool(client.ping())


def test_the_last_one_out_stops_them(home):
    first, second = holder(home), holder(home)
    let_go(first)
    assert is_up(home)
    let_go(second)
    assert not is_up(home)


def test_what_a_killed_process_left_is_taken_over_and_stopped_in_the_end(home):
    killed = holder(home)
    killed.kill()
    killed.communicate()
    assert is_up(home)
    let_go(holder(home))
    assert not is_up(home)


def test_data_is_there_again_after_both_servers_were_killed(home):
    with servers(home):
        with psycopg.connect(host=str(places.socket_folder(home)), user="postgres", dbname="whyral") as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
        with contextlib.closing(Redis.from_url(redis_url(home))) as client:
            client.set("kept", "42")
            time.sleep(1.1)
            redis_pid = client.info("server")["process_id"]
        os.kill(redis_pid, signal.SIGKILL)
        os.kill(int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
        time.sleep(0.5)
    with servers(home), contextlib.closing(Redis.from_url(redis_url(home), decode_responses=True)) as client:
        assert ask(home, "SELECT value FROM kept") == 42
        assert client.get("kept") == "42"


def size_of(folder):
    """Of the log: one file, or several in a folder of their own, as newer versions keep it."""
    with contextlib.suppress(FileNotFoundError):
        return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def test_redis_is_up_when_it_has_read_its_log_and_the_log_is_short_again(tmp_path):
    log = tmp_path / "redis" / "appendonly.aof"
    log.parent.mkdir()
    log.write_bytes(b"*2\r\n$4\r\nINCR\r\n$5\r\ntimes\r\n" * 400_000)
    make_socket_folder(tmp_path)
    redis.ensure(tmp_path, durable=True)
    try:
        with contextlib.closing(Redis.from_url(redis_url(tmp_path), decode_responses=True)) as client:
            assert client.get("times") == "400000"
        deadline = time.monotonic() + 20
        while size_of(log.parent) > 1000 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert 0 < size_of(log.parent) < 1000
    finally:
        redis.stop_server(tmp_path)


def test_a_pid_file_that_names_somebody_else_is_no_obstacle(home):
    (home / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{home}/postgres\n1\n5432\n\n\n\n")
    with servers(home, durable=False):
        assert is_up(home)


def test_an_interrupted_first_start_is_begun_again(tmp_path):
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18\n")
    with servers(tmp_path, durable=False):
        assert is_up(tmp_path)


def test_data_of_another_version_is_named_not_touched(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedServerProblem, match="made by PostgreSQL 15"), servers(tmp_path, durable=False):
        pass
    assert (tmp_path / "postgres" / "PG_VERSION").read_text() == "15\n"


def test_a_deep_folder_gets_its_sockets_somewhere_shorter(tmp_path):
    deep = tmp_path / ("deep" * 12) / ("deeper" * 10)
    deep.mkdir(parents=True)
    with servers(deep, durable=False):
        assert is_up(deep)
    assert len(str(places.socket_folder(deep))) <= places.LONGEST_SOCKET_FOLDER


def test_the_sockets_are_for_their_owner_alone(home):
    with servers(home, durable=False):
        assert places.socket_folder(home).stat().st_mode & 0o077 == 0


def test_postgresql_never_listens_on_the_network(home):
    with servers(home, durable=False):
        assert ask(home, "SHOW listen_addresses") == ""


def test_a_program_is_known_by_its_pid():
    assert program_of(os.getpid()).startswith(("python", "pytest"))
    assert program_of(2**22 - 1) == ""
