"""Where the embedded servers of a folder are found, known before they run."""

import hashlib
import os
import tempfile
from pathlib import Path
from urllib.parse import quote

DATABASE = "whyral"
# A unix socket's address must fit in 104 bytes on macOS and 108 on Linux; PostgreSQL appends a file name of 14.
LONGEST_SOCKET_FOLDER = 88


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


def make_socket_folder(home: Path) -> None:
    folder = socket_folder(home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise EmbeddedServerProblem(f"{folder} belongs to somebody else. Remove it or choose another folder.")
