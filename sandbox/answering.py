"""What a model on loopback says: an answer of the shape that was asked for, resting on the evidence it was shown."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import cycle
from typing import Any

# As our prompts list it, a line each: [c1] (caption) Slow bread for busy people
EVIDENCE = re.compile(r"^\[([^\]\s]{1,12})\] \([^)]*\) (.*)$", re.MULTILINE)
WORDS = re.compile(r"[A-Za-z]{2,}(?: [A-Za-z]{2,}){2,5}")
PARTS = re.compile(r"\S+\s*")
NOTHING = ("none", "")


def answer_in_shape(schema: Mapping[str, Any], prompt: str) -> str:
    """JSON. Each list has its fewest entries, each text says something of its own and quotes what it cites."""
    return json.dumps(Answerer(prompt).value(schema, "answer"), ensure_ascii=False)


def answer_in_words(question: str, prompt: str) -> str:
    known = EVIDENCE.findall(prompt) or [NOTHING]
    evidence_id, text = next((item for item in known if WORDS.search(item[1])), known[0])
    return f"The sandbox was asked: {question[:200].strip()} It goes by what was said: {quoted(text)} [{evidence_id}]."


def pieces_of(text: str) -> list[str]:
    return PARTS.findall(text) or [text]


def evidence_in(prompt: str) -> Iterator[tuple[str, str]]:
    return cycle(EVIDENCE.findall(prompt) or [NOTHING])


def quoted(text: str) -> str:
    """Some words as they stand there, or the admission that there are none."""
    found = WORDS.search(text)
    return f'"{found[0]}"' if found else "what it shows"


def schema_in(prompt: str) -> dict[str, Any]:
    """A schema that was described, since it was not given."""
    start = prompt.find('{"type": "object"')
    found: dict[str, Any] = json.JSONDecoder().raw_decode(prompt[start:])[0] if start >= 0 else {"type": "object"}
    return found


class Answerer:
    """Fills a schema, whichever spelling its types have."""

    def __init__(self, prompt: str) -> None:
        self._evidence = evidence_in(prompt)
        self._cited = NOTHING

    def value(self, schema: Mapping[str, Any], name: str) -> Any:
        if "anyOf" in schema:
            return self.value(schema["anyOf"][0], name)
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "string")
        kind = str(kind[0] if isinstance(kind, list) else kind).lower()
        simple = {"integer": 0, "number": 0, "boolean": False, "null": None}
        if kind in simple:
            return schema.get("minimum", simple[kind])
        return getattr(self, f"_{kind}")(schema, name)

    def _object(self, schema: Mapping[str, Any], name: str) -> dict[str, Any]:
        parts = schema.get("properties", {})
        if "evidence" in parts:
            self._cited = next(self._evidence)
        return {part: self.value(of, name if part == "text" else part) for part, of in parts.items()}

    def _array(self, schema: Mapping[str, Any], name: str) -> list[Any]:
        if name == "evidence":
            return [self._cited[0]]
        items = schema.get("items", {"type": "string"})
        return [self.value(items, f"{name} {'again ' * number}") for number in range(int(schema.get("minItems", 1)))]

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        subject = " ".join(name.replace("_", " ").split())
        return f"The sandbox on {subject}: it rests on {quoted(self._cited[1])}."
