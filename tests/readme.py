"""What README shows on its consoles: the commands, and what each is said to print."""

import re
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = "http://127.0.0.1:8000"
# What is another one each time.
VARIES = (
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    r"\d{4}-\d\d-\d\dT[\d:.]+Z",
    r"eyJ[\w.-]+",
    r"(?:sub|cks)_\w+",
    r"127\.0\.0\.1:\d+",
    r"localhost:\d+",
    r"\d+ days old",
    r"between \d+ days and \d+ days",
    r"\d+\.\d s\b",
    r"/\S+/spool, \d+ of 1024 MB in \d+ segments?",
    r"(?:PostgreSQL|Redis) \d+[\d.]+",
    r"(?<=^id: )\d+",
    r'(?<="id":)\d+',
)
VARYING = re.compile("|".join(f"(?P<v{number}>{pattern})" for number, pattern in enumerate(VARIES)), re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """One command with the output that follows it."""

    command: str
    output: str

    def at(self, port: int) -> str:
        return self.command.replace(ELSEWHERE, f"http://127.0.0.1:{port}")

    @property
    def only_asks(self) -> bool:
        return not re.search(r" -d |-X POST|manage.py analyze", self.command)

    def is_as_printed(self, printed: str) -> bool:
        """Line for line, but for `...`, which stands for any text, and for what is another one each time."""
        return re.fullmatch(_pattern_of(self.output.strip()), printed.strip(), re.DOTALL | re.MULTILINE) is not None


def steps() -> list[Step]:
    return [step for block in CONSOLE.findall(README.read_text()) for step in _steps_of(block) if "make " not in block]


def _steps_of(block: str) -> list[Step]:
    return [_step_of(part) for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]


def _step_of(part: str) -> Step:
    """A command goes on while its quotes are open, or behind a backslash."""
    lines = part.splitlines()
    length = next(n for n in range(1, len(lines) + 1) if _is_whole("\n".join(lines[:n])))
    return Step("\n".join(lines[:length]), "\n".join(lines[length:]))


def _is_whole(command: str) -> bool:
    return not command.endswith("\\") and command.count("'") % 2 == 0


def _pattern_of(text: str) -> str:
    return r".*".join(_told(part) for part in re.split(r"\s*(?:(?<=\s)|(?<=\. )|^)\.\.\.\s*", text))


def _told(part: str) -> str:
    pieces, place = [], 0
    for varying in VARYING.finditer(part):
        pieces += [_spaced(part[place : varying.start()]), VARIES[int(str(varying.lastgroup)[1:])]]
        place = varying.end()
    return "".join([*pieces, _spaced(part[place:])])


def _spaced(text: str) -> str:
    return re.sub(r"(?:\\\s)+", r"\\s+", re.escape(text))
