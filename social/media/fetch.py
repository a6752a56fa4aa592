"""Brings a medium from where its platform keeps it to our disk, no larger than allowed."""

import errno
import shutil
from pathlib import Path

from django.conf import settings

from core import http
from core.errors import Unavailable, VendorAnswerTooLarge
from social.errors import MediaRefused, MediaTooLarge
from social.models import Post, PostMedia
from social.scrapers.samples import SCHEME, Samples, open_sample

SECONDS = {"image": 60.0, "thumbnail": 60.0, "video": 600.0}
GONE = {401, 403, 404, 410}


class SourceExpired(MediaRefused):
    """This address no longer leads to the file: collect the post again."""

    code = "source_expired"


def fetch(post: Post, medium: PostMedia, path: Path) -> None:
    # A sample lies beside our code; no vendor's post is believed to be one.
    if post.source == Samples.name and medium.source_url.startswith(SCHEME):
        _copy_sample(medium.source_url.removeprefix(SCHEME), path)
    else:
        _download(post, medium, path)


def _copy_sample(name: str, path: Path) -> None:
    sample = open_sample(name)
    if sample is None:
        raise MediaRefused(details={"sample": "unknown"})
    shutil.copyfile(sample, path)


def _download(post: Post, medium: PostMedia, path: Path) -> None:
    most = settings.VIDEO_MAX_BYTES if medium.kind == "video" else settings.IMAGE_MAX_BYTES
    call = http.stream(
        vendor=post.platform_id,
        operation="media",
        url=medium.source_url,
        timeout=SECONDS[medium.kind],
        max_bytes=most,
        follow_redirects=True,
    )
    try:
        with call as chunks, path.open("wb") as file:
            if chunks.status in GONE:
                raise SourceExpired
            if chunks.status != 200:
                raise MediaRefused(details={"status": chunks.status})
            for chunk in chunks:
                file.write(chunk)
    except VendorAnswerTooLarge as problem:
        raise MediaTooLarge(details=problem.details) from None
    except OSError as problem:
        if problem.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Unavailable("There is no room for media just now.", retry_after=60) from None
        raise
