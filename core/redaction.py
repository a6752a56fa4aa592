"""What may be written down: the one rule by which passwords, tokens, keys and addresses are kept out of every record.

    redacted({"user": 7, "password": "x"})            {"user": 7, "password": "[redacted]"}
    redacted("GET /reset?uid=MQ&token=c1-99")         "GET /reset?uid=MQ&token=[redacted]"

A value goes by its name, and a text by its shape, since an exception's words have no names. What comes back is plain
data, bounded in depth and size, without a control character: one event stays one line. It never raises.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

MARK = "[redacted]"
# Shorter ones are words: "GET", "json", a page number.
SHORTEST_SENT = 8
LONGEST_TEXT = 8_000
# What is looked at of a text: beyond this it is cut off unread.
LONGEST_LOOK = 32_000
LARGEST = 24_000
DEEPEST = 6
MOST_ITEMS = 100
# What each item takes besides itself: quotes, a comma, brackets.
AROUND = 8
SHORT = 64
PAIR = 2
LARGEST_INTEGER = 2**63

# By name. A number, a truth or nothing under one of the second kind is a count or a flag: {"tokens": 300}.
SECRET_NAME = re.compile(
    r"passw|passphrase|secret|credential|authorization|cookie|csrf|xsrf|signature|(?:^|_)(?:pwd|pass|pin|dsn|otp)$|^svix_|^auth(?:_?header)?$"
    r"|api_?key|(?:access|private|signing|secret|encryption)_?key"
)
TELLING_NAME = re.compile(
    r"tokens?$|tickets?$|token_(?:value|hint)$|assertion$|(?:^|_)(?:jwt|sig|e_?mails?|verification_?code)$|^(?:key|access|refresh|sid|body|html|session(?:_?(?:key|id))?)$"
)

# By shape, for what has no name.
GAP = r"""(?:\\?["']\s{0,2},\s{0,2}|\\?["']?\s{0,2}(?:=>?|:)\s{0,2})[\[(]{0,2}(?!redacted\])(?:b(?=["']))?"""
QUOTED = r"""(?P<quote>\\?["'])(?:(?!(?P=quote))(?:\\.|.)){0,8000}"""
BARE = r"""[^\s&;,"'<>(){}\[\]]+"""
STRONG = (
    r"passw\w{0,16}|passphrase|(?<![a-z])pwd|secret[\w-]{0,16}|credentials?|api[ _-]?key(?: provided)?"
    r"|(?:access|private|signing|encryption)[_-]?key(?:[_-]?id)?|[cx]srf[\w-]{0,20}|signature|svix-[a-z]+|(?<![a-z])dsn"
)
WEAK = r"tokens?|ticket|(?<![a-z])(?:jwt|otp|sig|sid)|(?<![\w-])(?:key|access|refresh|code|session)|session_?(?:id|key)"
IN_QUERY = (
    r"[\w.-]{0,40}(?:token|ticket|secret|signature|passw\w{0,16}|credential|jwt|api_?key)"
    r"|(?:[\w.-]{0,40}[_.-])?(?:key|sig|auth|code|session|sessionid|access|refresh|otp|sid|e?mail)"
)
NAMES = "passw passphrase pwd secret credential key csrf xsrf signature svix dsn"
MAYBE_NAMES = "token ticket jwt otp sig sid key access refresh code session"
Replacement = str | Callable[[re.Match[str]], str]


class Rule(NamedTuple):
    """A shape. Only a text that holds one of the stems, in lower case, is looked through for it."""

    stems: frozenset[str]
    pattern: re.Pattern[str]
    replacement: Replacement


def _rule(stems: str, pattern: str, replacement: Replacement = MARK, *, flags: int = re.IGNORECASE) -> Rule:
    return Rule(frozenset(stems.split()), re.compile(pattern, flags), replacement)


def _keep_name(match: re.Match[str]) -> str:
    return f"{match['name']}{match['quote'] or ''}{MARK}"


RULES = (
    # What Celery says of a message that it cannot use: the arguments, without a name on any of them.
    _rule("message", r"(message (?:body was|headers|body:).{0,3}\s)\S.*", rf"\1{MARK}", flags=re.I | re.S),
    _rule("-----begin", r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*KEY-----|\Z)", flags=re.S),
    # A header runs to its quote or to the end of its line.
    _rule(
        "authorization cookie signature",
        rf"(?P<name>(?:authorization|cookie|signature){GAP})(?:{QUOTED}|[^\r\n\"'][^\r\n]*)",
        _keep_name,
    ),
    _rule("bearer", r"(\bbearer\s+)(?!token|auth|cred)[\w.~+/=-]{6,}", rf"\1{MARK}"),
    _rule("basic token", r"(\b(?i:basic|token)\s+)(?=\S*[0-9=]|\S+[A-Z])[\w.~+/=-]{8,}", rf"\1{MARK}", flags=re.NOFLAG),
    _rule("argon2 pbkdf2 crypt md5", r"\b(?:argon2|pbkdf2_|bcrypt|scrypt|md5)\w*\$[^\s,'\"]{8,}"),
    _rule("eyj", r"eyJ[\w-]{6,}(?:\.[\w-]*){0,4}", flags=re.NOFLAG),
    _rule(
        "_live_ _test_ whsec_ gh glpat- xox aiza ya29. akia asia sntry sb_ hf_ sk-",
        r"\b(?:(?:sk|pk|rk)_(?:live|test)_|whsec_|gh[oprsu]_|github_pat_|glpat-|xox[abeoprs]-|AIza|ya29\.|AKIA|ASIA"
        r"|sntry[su]_|sb_(?:secret|publishable)_|hf_)[\w./+=-]{8,}|\bsk-[\w-]{16,}",
        flags=re.NOFLAG,
    ),
    # A server's address, where a password may hold anything: up to the last @.
    _rule(
        "postgres mysql redis amqp mongodb smtp",
        r"\b((?:postgres(?:ql)?|mysql|rediss?|amqps?|mongodb(?:\+srv)?|smtp(?:\+\w+)?)://)[^\s\"'<>]{1,512}@",
        rf"\1{MARK}@",
    ),
    # A port is no user, and what follows it no password: http://localhost:8000/@handle.
    _rule(
        "://",
        r"://(?:[^\s/?#@\"'<>]{1,256}|[^\s/?#@:\"'<>]{0,64}:(?!\d{1,5}[/?#])[^\s\"'<>]{0,256})@",
        f"://{MARK}@",
    ),
    _rule("? & ;", rf"([?&;](?:{IN_QUERY})=)[^&\s\"'#<>]+", rf"\1{MARK}"),
    _rule(NAMES, rf"(?P<name>(?:{STRONG}){GAP})(?:{QUOTED}|{BARE})", _keep_name),
    # The rest may also be a word of a sentence, so it takes a quote, or a value that is no word either.
    _rule(MAYBE_NAMES, rf"(?P<name>(?:{WEAK}){GAP}){QUOTED}", _keep_name),
    _rule(
        MAYBE_NAMES,
        rf"((?:{WEAK})(?:=|:\s?))(?!\d{{1,9}}\b)(?=[\w./+=~-]{{0,200}}\d|[\w./+=~-]{{24}})[\w./+=~-]{{8,}}",
        rf"\1{MARK}",
    ),
    _rule("@ %40", r"[^\s@<>\"'(),;:=\[\]/\\]{1,64}(@|%40)([\w-]{1,63}(?:\.[\w-]{2,63}){1,4})", rf"{MARK}\1\2"),
)
STEMS = frozenset().union(*(rule.stems for rule in RULES))
# Ids, times, hashes: nothing in them can be a secret that has a shape.
HARMLESS = re.compile(r"[0-9a-fTZ:.+-]+")
# Line ends of every kind, colours, what turns the direction of writing, halves of characters.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def redacted(value: Any, *, deepest: int = DEEPEST, largest: int = LARGEST) -> Any:
    """The same as plain data that may be written down, at most `deepest` levels and about `largest` characters."""
    return _Writer(largest).write(value, deepest)


def redacted_lines(text: str) -> str:
    """A text of several lines, a traceback say, that keeps its lines."""
    return "\n".join(one_line(line) for line in _without_secrets(text).splitlines())


def without(sent: Iterable[Any], text: str) -> str:
    """The text without what was sent to whoever wrote it: a key that is repeated has neither name nor shape."""
    for value in map(str, sent):
        for secret in {value, value.rpartition(" ")[2]}:
            text = text.replace(secret, MARK) if len(secret) >= SHORTEST_SENT else text
    return text


def one_line(text: str) -> str:
    """Without a character that could end the line, colour it or turn its direction."""
    return CONTROL.sub(_spelled_out, text) if CONTROL.search(text) else text


def _spelled_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _without_secrets(text: str) -> str:
    short = text[:LONGEST_LOOK]
    lowered = short.lower()
    if found := [stem for stem in STEMS if stem in lowered]:
        for rule in RULES:
            if not rule.stems.isdisjoint(found):
                short = rule.pattern.sub(rule.replacement, short)
    if len(text) > LONGEST_LOOK:
        # The cut may have left half a secret without what tells it is one.
        short = re.sub(r"\S{0,600}\Z", "", short)
    return short if len(short) <= LONGEST_TEXT else _middle_cut(short)


class _Writer:
    """One value on its way into a record, and how much may still follow."""

    def __init__(self, left: int) -> None:
        self.left = left

    def write(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self.text(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return value if -LARGEST_INTEGER <= value < LARGEST_INTEGER else "[large number]"
        try:
            return self._write_other(value, depth)
        except Exception:  # noqa: BLE001  # whatever somebody's __str__ does, a record is not the place to fail
            return f"[unreadable {kind.__name__}]"

    def text(self, text: str) -> str:
        clean = _short_and_clean(text) if len(text) <= SHORT else one_line(_without_secrets(text))
        if len(clean) > self.left:
            clean = f"{clean[: max(self.left, 0)]}…"
        self.left -= len(clean)
        return clean

    def _write_other(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value, depth) if depth else "{…}"
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._items(value, depth) if depth else "[…]"
        if isinstance(value, BaseException):
            return self.text(f"{type(value).__name__}: {value}")
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.text(bytes(value[:LONGEST_LOOK]).decode("utf-8", "replace"))
        return self.text(str(value))

    def _mapping(self, values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        written = {}
        for name, value in islice(values.items(), MOST_ITEMS):
            if self.left <= 0:
                written["…"] = "…"
                break
            safe = _short_and_clean(_spelled(name)[:SHORT])
            self.left -= len(safe) + AROUND
            written[safe] = MARK if _is_secret(safe, value) else self.write(value, depth - 1)
        return written

    def _items(self, values: Iterable[Any], depth: int) -> list[Any]:
        written = []
        for value in islice(values, MOST_ITEMS):
            if self.left <= 0:
                break
            self.left -= AROUND
            written.append(self._pair(value) if _is_pair(value) else self.write(value, depth - 1))
        return written

    def _pair(self, pair: Sequence[Any]) -> list[Any]:
        name = self.write(pair[0], 0)
        return [name, MARK]


def _is_pair(value: Any) -> bool:
    """A header, as lists of them have it: the name and the value of what is secret."""
    return (
        isinstance(value, (list, tuple))
        and len(value) == PAIR
        and isinstance(value[0], (str, bytes))
        and _is_secret(_spelled(value[0])[:SHORT], value[1])
    )


def _spelled(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _is_secret(name: str, value: Any) -> bool:
    kind = _kind_of(name)
    # An empty value tells only that there was none.
    return kind > 0 and value not in (None, "") and (kind > 1 or not isinstance(value, (bool, int, float)))


@lru_cache(maxsize=2048)
def _kind_of(name: str) -> int:
    plain = name.lower().replace("-", "_").replace(" ", "_")
    return 2 if SECRET_NAME.search(plain) else int(bool(TELLING_NAME.search(plain)))


def _short_and_clean(text: str) -> str:
    return text if HARMLESS.fullmatch(text) else _known(text)


@lru_cache(maxsize=2048)
def _known(text: str) -> str:
    # Loggers, events, vendors, names of keys: a few hundred are said again and again.
    return one_line(_without_secrets(text))


def _middle_cut(text: str) -> str:
    # A traceback says what went wrong on its last line.
    half = LONGEST_TEXT // 2
    return f"{text[:half]} … {text[-half:]}"
