"""Supabase Storage: a private bucket, whose links Supabase signs. https://supabase.com/docs/guides/storage

It answers 400 to nearly everything that is wrong; what is meant stands in the body.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Any, NoReturn
from urllib.parse import quote

import orjson
from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File
from django.core.files.storage import Storage
from django.utils.deconstruct import deconstructible

from core import http
from core.errors import NotConfigured, Problem, VendorBusy, VendorRefused, VendorUnavailable
from core.http import Answer
from social.errors import MediaTooLarge
from social.storage.disk import NAME

SECONDS, UPLOAD_SECONDS = 30.0, 600.0
PAGE = 1000
# By the code in the body, where it says more than the status: what is passing, and what is not.
BUSY = {"SlowDown", "LockTimeout", "ResourceLocked", "DatabaseTimeout", "DatabaseReadOnly"}
SPELLED = {429: VendorBusy, 423: VendorUnavailable, 503: VendorUnavailable, 544: VendorUnavailable}
HEX = re.compile(r"[0-9a-f]{2}", re.ASCII)


@deconstructible(path="social.storage.supabase.SupabaseStorage")
class SupabaseStorage(Storage):
    """The same names as on disk; the bucket is made by whoever owns the project."""

    def _save(self, name: str, content: "File[Any]") -> str:
        # A retry of an upload that went well would be refused as a duplicate; the bytes are the same.
        headers = {"x-upsert": "true", "content-type": "application/octet-stream", "cache-control": "max-age=3600"}
        if kind := getattr(content, "content_type", ""):
            headers["content-type"] = kind
        file = getattr(content, "file", content)
        self._ask("upload", "POST", f"object/{_path(name)}", headers=headers, content=file, timeout=UPLOAD_SECONDS)
        return name

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _open(self, name: str, mode: str = "rb") -> "File[Any]":
        call = http.stream(
            vendor="supabase",
            operation="download",
            url=_url(f"object/authenticated/{_path(name)}"),
            headers=_headers(),
            timeout=UPLOAD_SECONDS,
            max_bytes=settings.VIDEO_MAX_BYTES + settings.IMAGE_MAX_BYTES,
        )
        with call as chunks:
            if chunks.status != 200:
                _refuse(chunks.read())
            return File(_copied(chunks), name)

    def url(self, name: str | None) -> str:
        answer = self._ask(
            "sign", "POST", f"object/sign/{_path(name or '')}", json={"expiresIn": settings.MEDIA_LINK_SECONDS}
        )
        if link := _link(answer.json()):
            return link
        raise VendorRefused(details={"problem": "no link"})

    def urls(self, names: Sequence[str]) -> dict[str, str]:
        """Many in one call; what is not there is left out."""
        links: dict[str, str] = {}
        for first in range(0, len(names), PAGE):
            asked = {"expiresIn": settings.MEDIA_LINK_SECONDS, "paths": [*names[first : first + PAGE]]}
            rows = self._ask("sign", "POST", f"object/sign/{_bucket()}", json=asked).json()
            links |= {row["path"]: link for row in rows if (link := _link(row))}
        return links

    def exists(self, name: str) -> bool:
        try:
            self._ask("info", "GET", f"object/info/{_path(name)}")
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        return int(self._ask("info", "GET", f"object/info/{_path(name)}").json()["size"])

    def delete(self, name: str) -> None:
        _path(name)
        self.discard(name)

    def discard(self, name: str) -> None:
        self._ask("delete", "DELETE", f"object/{_bucket()}", json={"prefixes": [name]})

    def names(self) -> Iterator[tuple[str, float]]:
        """All that is there, with the time it was written: two levels of folders, as the names have."""
        for first in self._folders(""):
            for second in self._folders(first):
                for row in self._list(f"{first}/{second}"):
                    if row.get("id"):
                        yield f"{first}/{second}/{row['name']}", datetime.fromisoformat(row["created_at"]).timestamp()

    def _folders(self, prefix: str) -> list[str]:
        return [row["name"] for row in self._list(prefix) if row.get("id") is None and HEX.fullmatch(row["name"])]

    def _list(self, prefix: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            asked = {"prefix": prefix, "limit": PAGE, "offset": offset}
            rows = self._ask("list", "POST", f"object/list/{_bucket()}", json=asked).json()
            yield from rows
            if len(rows) < PAGE:
                return
            offset += PAGE

    def _ask(
        self, operation: str, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> Answer:
        answer = http.request(
            vendor="supabase",
            operation=operation,
            method=method,
            url=_url(path),
            headers=_headers() | (headers or {}),
            idempotent=True,
            **{"timeout": SECONDS, **more},
        )
        return answer if answer.status < 300 else _refuse(answer)


def _link(told: Any) -> str | None:
    signed = told.get("signedURL")
    is_link = isinstance(signed, str) and signed.startswith("/object/sign/")
    return f"{settings.SUPABASE_URL}/storage/v1{signed}" if is_link else None


def _copied(chunks: Iterable[bytes]) -> IO[bytes]:
    """As a file without a name, which whoever asked for it closes."""
    copy = TemporaryFile()  # noqa: SIM115
    try:
        copy.writelines(chunks)
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy


def _url(path: str) -> str:
    return f"{settings.SUPABASE_URL}/storage/v1/{path}"


def _headers() -> dict[str, str]:
    # A new key is no JWT: as a bearer it is taken only where it equals the other header.
    key = settings.SUPABASE_SECRET_KEY
    return {"apikey": key, "authorization": f"Bearer {key}"}


def _bucket() -> str:
    return quote(settings.SUPABASE_BUCKET, safe="")


def _path(name: str) -> str:
    if not NAME.fullmatch(name):
        raise SuspiciousFileOperation("This is no name of ours.")
    return f"{_bucket()}/{name}"


def _refuse(answer: Answer) -> NoReturn:
    told = _told(answer)
    status, code = told.get("statusCode"), str(told.get("code") or told.get("error") or "")
    spelled = int(status) if isinstance(status, str) and status.isdecimal() else answer.status
    if code == "NoSuchBucket" or told.get("message") == "Bucket not found":
        raise NotConfigured(
            f"The bucket {settings.SUPABASE_BUCKET} does not exist: create it, private, in your project."
        )
    if spelled == 404:
        raise FileNotFoundError
    if spelled == 413:
        raise MediaTooLarge(details={"code": code})
    raise _problem(spelled, code)


def _problem(status: int, code: str) -> Problem:
    kind = SPELLED.get(status) or (VendorUnavailable if code in BUSY or status >= 500 else VendorRefused)
    return kind(details={"status": status, "code": code[:60]})


def _told(answer: Answer) -> dict[str, Any]:
    try:
        told = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}
