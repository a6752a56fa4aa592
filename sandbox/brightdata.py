"""BrightData's scrapers on loopback: jobs that are triggered, asked after and downloaded, with everything odd they do.

What is asked for is answered from `brightdata.json`; an address that is not in there gets a record like the first one.
"""

import copy
import gzip
import json
import random
import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.control import Asked, Reply, Route, Sandbox

Row = dict[str, Any]

RECORDS: dict[str, list[Row]] = json.loads(Path(__file__).with_name("brightdata.json").read_text())
DATASETS = {
    "gd_lk5ns7kz21pck8jpis": "instagram_posts",
    "gd_lyclm20il4r5helnj": "instagram_reels",
    "gd_ltppn085pokosxh13": "instagram_comments",
    "gd_lwxkxvnf1cynvib9co": "x_posts",
    "gd_lk56epmy2i5g7lzu0k": "youtube_videos",
    "gd_lk9q0ew71spt1mxywf": "youtube_comments",
}
# Which field of a record the address it was asked by ends in.
IDS = {
    "instagram_posts": "shortcode",
    "instagram_reels": "shortcode",
    "instagram_comments": "post_url",
    "x_posts": "id",
    "youtube_videos": "video_id",
    "youtube_comments": "video_id",
}
COMMENT_LIMITS = {"num_of_comments", "limit_per_input"}
PLAIN = {"Content-Type": "text/plain"}
FAR_DATE = "2020-01-01T00:00:00.000Z"
# What it says when it refuses, by operation and by its own words.
REFUSALS = {
    "no_key": (401, "Credentials are missing"),
    "bad_key": (401, "Invalid credentials"),
    "no_credit": (402, "Payment required"),
    "not_ready": (400, "This dataset is not ready yet"),
    "too_many": (429, "You have too many running jobs for this dataset. Please wait. Running jobs: 100>=100"),
    "expired": (400, "Snapshot is expired"),
    "empty": (400, "Snapshot is empty"),
    "gone": (404, "Snapshot does not exist"),
    "broken": (500, "Internal server error"),
}
EDGE = b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"


@dataclass(kw_only=True)
class Snapshot:
    """A job and, once it is ready, what it brought."""

    dataset_id: str
    rows: list[Row]
    inputs: list[Row]
    query: dict[str, str]
    polls: int
    building: int
    cancelled: bool = False


@dataclass(kw_only=True)
class Knobs:
    """How the next jobs go."""

    polls: int = 0  # how often a job is asked after before it is over
    statuses: tuple[str, ...] = ("starting", "running", "collecting", "digesting", "pending_delivery", "building")
    end: str = "ready"  # or failed, canceled, cancelled
    message: str = ""  # why it failed
    building: int = 0  # how often a download of what is ready is answered by 202; -1: for ever
    shuffled: bool = False
    repeated: bool = False
    foreign: int = 0  # rows that nobody asked for
    empty: bool = False
    per_profile: int = 3  # posts that an unknown profile has
    per_post: int = 2  # comments that an unknown post has
    # By the id of a post: fields that replace its own, where None removes one; or a whole row instead of the record.
    changes: dict[str, Row] = field(default_factory=dict)
    instead: dict[str, Row] = field(default_factory=dict)


class BrightDataSandbox(Sandbox):
    """One account. `knobs` says how jobs go; `snapshots` holds those there were."""

    def __init__(self, *, port: int = 0, key: str = "sandbox") -> None:
        super().__init__(port=port)
        self.key, self.knobs = key, Knobs()
        self.snapshots: dict[str, Snapshot] = {}
        self.asked_for: Counter[str] = Counter()  # how often a record of which dataset was delivered: what is billed

    def settings(self) -> dict[str, Any]:
        return {
            "BRIGHTDATA_API_KEY": self.key,
            "BRIGHTDATA_URL": self.url,
            "OUTBOUND_ALLOWED_HOSTS": [self.address],
        }

    def reset(self) -> None:
        super().reset()
        self.knobs = Knobs()
        self.snapshots.clear()
        self.asked_for.clear()

    def notice(self, snapshot_id: str) -> tuple[bytes, dict[str, str]]:
        """The body and headers it tells the `notify` address with."""
        status = "ready" if not self.snapshots[snapshot_id].cancelled else "canceled"
        return json.dumps({"snapshot_id": snapshot_id, "status": status}).encode(), self._webhook_headers(snapshot_id)

    def delivery(self, snapshot_id: str) -> tuple[bytes, dict[str, str]]:
        """The body and headers it sends the rows to the `endpoint` address with: compressed unless told otherwise."""
        snapshot, headers = self.snapshots[snapshot_id], self._webhook_headers(snapshot_id)
        body = json.dumps(snapshot.rows).encode()
        if snapshot.query.get("uncompressed_webhook") == "true":
            return body, headers
        return gzip.compress(body), headers | {"content-encoding": "gzip"}

    # What it answers

    def refusal(self, asked: Asked) -> Reply | None:
        given = asked.headers.get("authorization", "")
        if given == f"Bearer {self.key}":
            return None
        return said("bad_key" if given.startswith("Bearer ") else "no_key")

    def trigger(self, asked: Asked) -> Reply:
        query = {name: values[-1] for name, values in asked.query.items()}
        dataset_id = query.get("dataset_id", "")
        if not dataset_id:
            return plain(400, "dataset missing")
        if dataset_id not in DATASETS:
            return plain(404, "dataset does not exist")
        body = asked.json()
        inputs = body.get("input") if isinstance(body, dict) else body
        if not inputs:
            return plain(400, "No data to trigger")
        if not all(str(each.get("url", "")).startswith("https://") for each in inputs):
            wrong = {"error": "Invalid input provided", "code": "validation_error"}
            return Reply(status=400, body=wrong | {"errors": [["url", "This field must be a valid url"]]})
        return Reply(body={"snapshot_id": self._start(dataset_id, inputs, query)})

    def progress(self, asked: Asked, snapshot_id: str) -> Reply:
        if snapshot_id not in self.snapshots:
            return said("gone")
        snapshot = self.snapshots[snapshot_id]
        head = {"snapshot_id": snapshot_id, "dataset_id": snapshot.dataset_id}
        if snapshot.cancelled:
            return Reply(body=head | {"status": "canceled"})
        if snapshot.polls:
            snapshot.polls -= 1
            return Reply(body=head | {"status": self.knobs.statuses[snapshot.polls % len(self.knobs.statuses)]})
        message = {"error_message": self.knobs.message} if self.knobs.message else {}
        return Reply(body=head | {"status": self.knobs.end} | message)

    def download(self, asked: Asked, snapshot_id: str) -> Reply:
        if snapshot_id not in self.snapshots:
            return said("gone")
        snapshot = self.snapshots[snapshot_id]
        if snapshot.polls or snapshot.building:
            status, wait = ("running", 10) if snapshot.polls else ("building", 30)
            snapshot.building -= 1 if not snapshot.polls and snapshot.building > 0 else 0
            body = {"status": status, "message": f"Snapshot is not ready yet, try again in {wait}s"}
            return Reply(status=202, body=body)
        form = asked.query.get("format", ["json"])[-1]
        return Reply(body=snapshot.rows if form == "json" else _lines(snapshot.rows))

    def cancel(self, asked: Asked, snapshot_id: str) -> Reply:
        if snapshot_id not in self.snapshots:
            return said("gone")
        snapshot = self.snapshots[snapshot_id]
        if snapshot.cancelled or not snapshot.polls:
            return plain(400, "Snapshot is not running")
        snapshot.cancelled = True
        return plain(200, "OK")

    def datasets(self, asked: Asked) -> Reply:
        return Reply(body=[{"id": each, "name": name, "size": 0} for each, name in DATASETS.items()])

    routes = [
        Route("trigger", "POST", r"/datasets/v3/trigger", trigger),
        Route("progress", "GET", r"/datasets/v3/progress/(\w+)", progress),
        Route("download", "GET", r"/datasets/v3/snapshot/(\w+)", download),
        Route("cancel", "POST", r"/datasets/v3/snapshot/(\w+)/cancel", cancel),
        Route("datasets", "GET", r"/datasets/list", datasets),
    ]

    # How a job comes by its rows

    def _start(self, dataset_id: str, inputs: list[Row], query: dict[str, str]) -> str:
        discovers = query.get("type") == "discover_new"
        kind, snapshot_id = DATASETS[dataset_id], f"{secrets.choice(['s', 'sd'])}_{secrets.token_hex(9)}"
        found = [row for each in inputs for row in self._rows(kind, each, query, discovers=discovers)]
        self.asked_for[kind] += sum("error" not in row and "warning" not in row for row in found)
        self.snapshots[snapshot_id] = Snapshot(
            dataset_id=dataset_id,
            rows=self._disorder(kind, found),
            inputs=inputs,
            query=query,
            polls=self.knobs.polls,
            building=self.knobs.building,
        )
        return snapshot_id

    def _rows(self, kind: str, given: Row, query: dict[str, str], *, discovers: bool) -> list[Row]:
        if self.knobs.empty:
            return []
        wanted = _last_part(given["url"])
        if wanted in self.knobs.instead:
            silent = query.get("include_errors") != "true" and "error" in self.knobs.instead[wanted]
            return [] if silent else [{"timestamp": FAR_DATE, "input": given, **self.knobs.instead[wanted]}]
        records = (
            self._discovered(kind, wanted, given, query) if discovers else self._collected(kind, wanted, given, query)
        )
        about = {"input": given} | ({"discovery_input": given} if discovers else {})
        return [self._changed(row, row[IDS[kind]]) | about for row in records]

    def _collected(self, kind: str, wanted: str, given: Row, query: dict[str, str]) -> list[Row]:
        known = [row for row in RECORDS[kind] if _last_part(row[IDS[kind]]) == wanted]
        if not kind.endswith("_comments"):
            return copy.deepcopy(known) or [_like(kind, wanted)]
        limits = [int({**query, **given}[name]) for name in COMMENT_LIMITS if {**query, **given}.get(name)]
        invented = [_like(kind, wanted) | {"comment_id": f"{wanted}{n}"} for n in range(self.knobs.per_post)]
        return (copy.deepcopy(known) or invented)[: min(limits, default=None)]

    def _discovered(self, kind: str, handle: str, given: Row, query: dict[str, str]) -> list[Row]:
        if any(
            not re.fullmatch(r"\d\d-\d\d-\d{4}", given.get(name, "01-01-2026")) for name in ("start_date", "end_date")
        ):
            return [{IDS[kind]: "", "warning": "no posts found, please check pinned posts detection"}]
        known = [row for row in RECORDS[kind] if handle in {row.get("user_posted"), row.get("youtuber")}]
        named = {name: handle for name in ("user_posted", "youtuber") if name in RECORDS[kind][0]}
        # Ids that each platform could have given: one of YouTube has eleven characters, and not every last one.
        ids = [f"{7_700_000_000 + n}{'0' if kind == 'youtube_videos' else ''}" for n in range(self.knobs.per_profile)]
        invented = [_like(kind, each) | named for each in ids]
        return (copy.deepcopy(known) or invented)[
            : given.get("num_of_posts") or int(query.get("limit_per_input") or 100)
        ]

    def _changed(self, row: Row, row_id: str) -> Row:
        changed = row | self.knobs.changes.get(_last_part(row_id), {})
        return {name: value for name, value in changed.items() if value is not None or row.get(name, "") is None}

    def _disorder(self, kind: str, rows: list[Row]) -> list[Row]:
        strangers = [_like(kind, f"Foreign{n:04}") for n in range(self.knobs.foreign)]
        strangers = [row | {"input": {"url": f"https://elsewhere.sandbox.test/{row[IDS[kind]]}/"}} for row in strangers]
        rows = [*rows, *(rows if self.knobs.repeated else []), *strangers]
        return random.sample(rows, len(rows)) if self.knobs.shuffled else rows

    def _webhook_headers(self, snapshot_id: str) -> dict[str, str]:
        given = self.snapshots[snapshot_id].query.get("auth_header", "")
        return {"content-type": "application/json"} | ({"authorization": given} if given else {})


def plain(status: int, words: str) -> Reply:
    return Reply(status=status, body=words.encode(), headers=dict(PLAIN))


def said(why: str) -> Reply:
    return plain(*REFUSALS[why])


def refused(why: str, *, seconds: int | None = None) -> dict[str, Any]:
    """A fault: one of its refusals, with a Retry-After where `seconds` are given."""
    reply = said(why)
    wait = {"Retry-After": str(seconds)} if seconds is not None else {}
    return {"status": reply.status, "body": reply.body, "headers": reply.headers | wait}


def bad_gateway() -> dict[str, Any]:
    """A fault: what its edge answers when nobody is behind it."""
    return {"status": 502, "body": EDGE, "headers": {"Content-Type": "text/html"}}


def _last_part(address: str) -> str:
    """What an address is about: its last part that is not empty, and no more than that is in an id."""
    return re.split(r"[/=]", address.removesuffix("/videos").rstrip("/"))[-1]


def _like(kind: str, wanted: str) -> Row:
    template = RECORDS[kind][0]
    written = json.dumps(template).replace(_last_part(template[IDS[kind]]), wanted)
    return dict(json.loads(written))


def _lines(rows: list[Row]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
