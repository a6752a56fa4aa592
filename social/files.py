"""What a signed link leads to: a picture or a video that lies on our disk."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from django.core.files.storage import storages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from social.storage.disk import NAME, DiskStorage, may_read

TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}
RANGE = re.compile(r"bytes=([0-9]{1,18})?-([0-9]{1,18})?", re.ASCII)
CHUNK = 256 * 1024
# Nothing in it may act, whatever a browser takes it for.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "private, max-age=3600",
    "Accept-Ranges": "bytes",
}


@require_safe
def show(request: HttpRequest, name: str) -> HttpResponseBase:
    storage = storages["default"]
    allowed = may_read(name, request.GET.get("expires", ""), request.GET.get("signature", ""))
    if not (allowed and isinstance(storage, DiskStorage) and NAME.fullmatch(name)):
        raise Http404
    path = Path(storage.path(name))
    if not path.is_file():
        raise Http404
    answer = _part(path, request.headers.get("range", "")) or FileResponse(path.open("rb"))
    kind = TYPES.get(path.suffix)
    answer["Content-Type"] = kind or "application/octet-stream"
    answer["Content-Disposition"] = "inline" if kind else "attachment"
    for header, value in HEADERS.items():
        answer[header] = value
    return answer


def _part(path: Path, asked: str) -> HttpResponseBase | None:
    """One part of a file, as players ask for it; None where the whole is to be sent."""
    found, size = RANGE.fullmatch(asked), path.stat().st_size
    if found is None or found.group(1) is found.group(2) is None:
        return None
    first, last = _bounds(found.group(1), found.group(2), size)
    if first > last:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    answer = StreamingHttpResponse(_read(path.open("rb"), first, last - first + 1), status=206)
    answer["Content-Range"] = f"bytes {first}-{last}/{size}"
    answer["Content-Length"] = str(last - first + 1)
    return answer


def _bounds(first: str | None, last: str | None, size: int) -> tuple[int, int]:
    if first is None:
        return max(0, size - int(last or 0)), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1


def _read(file: BinaryIO, first: int, left: int) -> Iterator[bytes]:
    with file:
        file.seek(first)
        while left and (piece := file.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece
