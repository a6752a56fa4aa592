"""Files on disk, behind links that are signed and expire."""

import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File
from django.core.files.storage import FileSystemStorage
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.deconstruct import deconstructible

NAME = re.compile(r"([0-9a-f]{2})/([0-9a-f]{2})/\1\2[0-9a-f]{60}\.[a-z0-9]{2,5}", re.ASCII)
SALT = "social.storage.disk"


@deconstructible(path="social.storage.disk.DiskStorage")
class DiskStorage(FileSystemStorage):
    """Names follow from the bytes, so a name that is taken holds what is to be written."""

    def __init__(self) -> None:
        super().__init__(location=settings.MEDIA_ROOT)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def path(self, name: str) -> str:
        if not NAME.fullmatch(name):
            raise SuspiciousFileOperation("This is no name of ours.")
        return super().path(name)

    def _save(self, name: str, content: "File[Any]") -> str:
        """Whole or not at all: nobody ever reads half a file."""
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix="tmp-", delete=False) as half:
            try:
                shutil.copyfileobj(content, half, 1024 * 1024)
                half.close()
                os.replace(half.name, path)  # noqa: PTH105
            except BaseException:
                Path(half.name).unlink(missing_ok=True)
                raise
        return name

    def url(self, name: str | None) -> str:
        expires = int(time.time()) + settings.MEDIA_LINK_SECONDS
        query = urlencode({"expires": expires, "signature": signature(name or "", expires)})
        return f"{settings.PUBLIC_URL}/media/{name}?{query}"

    def urls(self, names: Sequence[str]) -> dict[str, str]:
        return {name: self.url(name) for name in names}

    def names(self) -> Iterator[tuple[str, float]]:
        """All that is there, halves that a crash left too, with the time it was written."""
        for path in Path(self.location).glob("*/*/*"):
            with suppress(FileNotFoundError):  # a half that became whole, or what another sweep took
                yield str(path.relative_to(self.location)), path.stat().st_mtime

    def discard(self, name: str) -> None:
        """Of what `names` told: halves of files too, whose names are none of ours."""
        (Path(self.location) / name).unlink(missing_ok=True)


def signature(name: str, expires: int) -> str:
    return salted_hmac(SALT, f"{name}:{expires}", algorithm="sha256").hexdigest()


def may_read(name: str, expires: str, given: str) -> bool:
    is_time = expires.isascii() and expires.isdecimal() and len(expires) < 12
    return is_time and constant_time_compare(signature(name, int(expires)), given) and time.time() < int(expires)
