"""From a post's media rows to kept bytes: fetched, sniffed, decoded in the jail, stored once. Each medium by itself."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Q

from core import jail
from core.errors import Problem
from social import storage
from social.errors import MediaRefused, MediaTooLarge, MediaUnreadable
from social.media.fetch import fetch
from social.media.sniff import HEAD, Sniffed, sniff
from social.models import Post, PostMedia, StoredFile

TYPES = {"jpg": "image/jpeg", "png": "image/png", "mp4": "video/mp4", "webm": "video/webm"}
PICTURE_SECONDS, VIDEO_SECONDS = 30.0, 240.0
# Of address space, which a decoder's libraries take much of; what it really uses is measured by the tests.
MEMORY_MB = 2000
REFUSALS = {"media_too_large": MediaTooLarge, "media_unreadable": MediaUnreadable}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How many of a post's media are stored, and what became of the others, by their codes."""

    stored: int
    failed: dict[str, int]
    retryable: bool


def keep_media(post_id: UUID) -> Kept:
    """Keep what is not kept yet. Safe to repeat, and by several at once: the same bytes end in the same file."""
    post = Post.objects.get(pk=post_id)
    todo = post.media.filter(~Q(state=PostMedia.State.STORED), kind__in=("image", "thumbnail", "video"))
    failed: dict[str, int] = {}
    retryable = False
    for medium in todo.order_by("kind", "position"):
        try:
            _keep(post, medium)
        except Problem as problem:
            log.info("medium_not_kept", medium=str(medium.pk), code=problem.code, details=problem.details)
            if _note_failure(medium, problem):
                failed[problem.code] = failed.get(problem.code, 0) + 1
                retryable |= problem.retryable
    return Kept(stored=post.media.filter(state=PostMedia.State.STORED).count(), failed=failed, retryable=retryable)


def _note_failure(medium: PostMedia, problem: Problem) -> bool:
    """Unless somebody else has kept it meanwhile."""
    open_still = PostMedia.objects.filter(pk=medium.pk).exclude(state=PostMedia.State.STORED)
    return bool(open_still.update(state=PostMedia.State.FAILED, error=problem.code))


def _keep(post: Post, medium: PostMedia) -> None:
    with TemporaryDirectory(prefix="whyral-media-") as folder:
        path = Path(folder) / "download"
        fetch(post, medium, path)
        found = _decode(path, _sniffed(path, medium), folder)
        for frame in found.get("frames", []):
            _keep_frame(post, frame)
        _store(PostMedia.objects.filter(pk=medium.pk), found)


def _sniffed(path: Path, medium: PostMedia) -> Sniffed:
    with path.open("rb") as file:
        sniffed = sniff(file.read(HEAD))
    if sniffed is None or (sniffed.kind == "video") != (medium.kind == "video"):
        raise MediaUnreadable(details={"is": sniffed.decoder if sniffed else "unknown"})
    return sniffed


def _decode(path: Path, sniffed: Sniffed, folder: str) -> dict[str, Any]:
    job = {
        "kind": sniffed.kind,
        "decoder": sniffed.decoder,
        "path": str(path),
        "folder": folder,
        "most_seconds": settings.VIDEO_MAX_SECONDS,
        "frames": settings.FRAMES_PER_VIDEO,
    }
    seconds = VIDEO_SECONDS if sniffed.kind == "video" else PICTURE_SECONDS
    # What is written is a copy of what was read, with a container of ours around it.
    room = 64 + path.stat().st_size // 2**20 * 2
    try:
        found: dict[str, Any] = jail.run(
            "social.jailed.decode", job, seconds=seconds, memory_mb=MEMORY_MB, file_mb=room
        )
    except jail.Refusal as refusal:
        raise REFUSALS.get(refusal.code, MediaRefused)(details=refusal.details) from None
    except jail.JailBroken as broken:
        raise MediaUnreadable(details=broken.details) from None
    return found


def _keep_frame(post: Post, frame: dict[str, Any]) -> None:
    row, _ = PostMedia.objects.get_or_create(post=post, kind="frame", position=frame["milliseconds"])
    _store(PostMedia.objects.filter(pk=row.pk), frame)


def _store(rows: Any, found: dict[str, Any]) -> None:
    file = _stored(Path(found["path"]), found["extension"])
    rows.update(
        state=PostMedia.State.STORED,
        error="",
        file=file,
        width=found["width"],
        height=found["height"],
        seconds=found.get("seconds"),
    )


def _stored(path: Path, extension: str) -> StoredFile:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return storage.keep(path, sha256=sha256, media_type=TYPES[extension], extension=extension)
