"""Where media live, under Django's own storage setting: on disk with signed links, or in Supabase Storage.

Bytes are kept once, under their hash:

    file = keep(path, sha256=..., media_type="image/jpeg", extension="jpg")
    link(file)  ->  an address that works for a while
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import structlog
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models.functions import Now

from core.errors import Problem, Unavailable
from social.models import StoredFile

# Without a target, for there are two unique columns: with one, a conflict on the other would be an error, not a row.
KNOW = """
INSERT INTO social_storedfile (sha256, name, media_type, size, touched_at)
VALUES (%(sha256)s, %(name)s, %(media_type)s, %(size)s, now())
ON CONFLICT DO NOTHING
"""
TOUCH = "UPDATE social_storedfile SET touched_at = now() WHERE sha256 = %(sha256)s RETURNING leaving_since"

log = structlog.get_logger(__name__)


def keep(path: Path, *, sha256: str, media_type: str, extension: str) -> StoredFile:
    """The row of these bytes, which are in the storage by then."""
    name = f"{sha256[:2]}/{sha256[2:4]}/{sha256}.{extension}"
    row: dict[str, Any] = {"sha256": sha256, "name": name, "media_type": media_type, "size": path.stat().st_size}
    with connection.cursor() as cursor:
        cursor.execute(KNOW, row)
        cursor.execute(TOUCH, row)
        touched = cursor.fetchone()
    if touched != (None,):
        # The sweep is taking these very bytes away, or just has: what is written now, it might take too.
        raise Unavailable(retry_after=5)
    # Touched just now, so no sweep takes it for a day.
    file = StoredFile.objects.get(pk=sha256)
    if file.uploaded_at is None:
        _upload(file, path)
    return file


def link(file: StoredFile) -> str:
    return default_storage.url(file.name)


def links(files: Iterable[StoredFile]) -> dict[str, str]:
    """By name, in one trip. What is not there has none, and where the storage does not answer nothing has."""
    names = sorted({file.name for file in files})
    try:
        return dict(default_storage.urls(names)) if names else {}  # type: ignore[attr-defined]
    except Problem as problem:
        log.warning("media_not_linked", code=problem.code, files=len(names))
        return {}


def _upload(file: StoredFile, path: Path) -> None:
    # Two of us may do it at once: the name follows from the bytes, so they write the same.
    with path.open("rb") as content:
        told = File(content)
        # Django's files of forms carry it under this name; a bucket asks for it.
        told.content_type = file.media_type  # type: ignore[attr-defined]
        default_storage.save(file.name, told)
    StoredFile.objects.filter(pk=file.pk).update(uploaded_at=Now())
    file.refresh_from_db()
