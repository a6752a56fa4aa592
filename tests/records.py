"""Everywhere that something is written down, for tests that look for what should not be there."""

import io
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from config.logs import SHARED, LineFormatter, logging_config
from core import redis
from core.spool import Spool
from logs.shipper import Shipper


class Records:
    """Everywhere that something is written down."""

    def __init__(self, folder: Path, readable: io.StringIO, machine: io.StringIO) -> None:
        self.folder, self.readable, self.machine = folder, readable, machine

    def stdout(self) -> str:
        workers = (
            (self.folder.parent / "worker.log").read_text() if (self.folder.parent / "worker.log").exists() else ""
        )
        return self.readable.getvalue() + self.machine.getvalue() + workers

    def spools(self) -> str:
        return "".join(path.read_bytes().decode() for path in self.folder.glob("*.rows"))

    def tables(self) -> str:
        """Every row of every table as text, whatever tables there are."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            names = [name for (name,) in cursor.fetchall()]
            rows = []
            for name in names:
                cursor.execute(f"SELECT row::text FROM {name} AS row")  # noqa: S608
                rows += [text for (text,) in cursor.fetchall()]
        assert len(names) > 20
        return "\n".join(rows)

    def redis(self) -> str:
        """Keys and values: limits, streams, heartbeats, counts. The broker's messages are elsewhere."""
        found = []
        for key in redis.client().scan_iter():
            found += [key, _value_of(key)]
        return "\n".join(map(str, found))

    def ship(self) -> None:
        Shipper(self.folder).ship()

    def all(self) -> dict[str, str]:
        before = self.spools()
        self.ship()
        return {"stdout": self.stdout(), "spools": before, "tables": self.tables(), "redis": self.redis()}

    def holding(self, secret: str) -> dict[str, str]:
        """Where it is, with what is around it."""
        around = re.compile(f".{{0,80}}{re.escape(secret)}.{{0,80}}")
        return {place: found[0] for place, text in self.all().items() if (found := around.search(text))}


def _value_of(key: str) -> Any:
    read: dict[str, Callable[[str], Any]] = {
        "string": redis.client().get,
        "hash": redis.client().hgetall,
        "stream": redis.client().xrange,
        "set": redis.client().smembers,
        "list": lambda name: redis.client().lrange(name, 0, -1),
        "zset": lambda name: redis.client().zrange(name, 0, -1),
        "none": lambda name: None,  # its time ran out since it was found
    }
    return read[str(redis.client().type(key))](key)


@contextmanager
def written_down(folder: Path) -> Iterator[Records]:
    """All that is said from here on, down to the details, and the rows in the spool of this folder."""
    for spool in Spool.every:
        spool.close()
    root, before = logging.getLogger(), logging.getLogger().level
    streams = io.StringIO(), io.StringIO()
    lines = [logging.StreamHandler(stream) for stream in streams]
    for handler, readable in zip(lines, (True, False), strict=True):
        processors = logging_config(readable=readable, level="DEBUG")["formatters"]["line"]["processors"]
        handler.setFormatter(LineFormatter(processors=processors, foreign_pre_chain=SHARED))
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    connection.force_debug_cursor = True
    yield Records(folder, *streams)
    connection.force_debug_cursor = False
    root.setLevel(before)
    for handler in lines:
        root.removeHandler(handler)
    for spool in Spool.every:
        spool.close()
