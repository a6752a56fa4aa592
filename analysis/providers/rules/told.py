"""What a chat was told: the sections of its orders, read back as `analysis.prompting` writes them."""

import re
from dataclasses import dataclass

BOUNDARY = re.compile(r"^Boundary: (\w+)$", re.MULTILINE)
LINE = re.compile(r"^\[([a-z]\d+)\] \((\w+)[^)]*\) (.+)$", re.MULTILINE)
UNSUPPORTED = "(not supported)"


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the evidence."""

    id: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """The orders of a chat, by their sections."""

    orders: str

    def items(self) -> list[Item]:
        return [Item(*found) for found in LINE.findall(self.section("EVIDENCE"))]

    def claims(self, *parts: str) -> list[str]:
        """What the result says in these parts, with what it cites; not what does not hold."""
        lines = (line.partition(": ") for line in self.section("RESULT").splitlines())
        return [claim for name, _, claim in lines if name in parts and not claim.endswith(UNSUPPORTED)]

    def computed(self, name: str) -> str:
        lines = (line.partition(": ") for line in self.section("COMPUTED").splitlines())
        return next((value for told, _, value in lines if told == name), "")

    def section(self, name: str) -> str:
        """Only what stands between the marks: lines elsewhere may look the same."""
        boundary = BOUNDARY.search(self.orders)
        if not boundary:
            return ""
        _, _, rest = self.orders[boundary.end() :].partition(f"\nBEGIN {boundary[1]} {name}\n")
        section, _, _ = rest.partition(f"\nEND {boundary[1]} {name}")
        return section
