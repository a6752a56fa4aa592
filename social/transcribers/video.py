"""The stored video of a post, as a file for as long as somebody reads it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.files.storage import default_storage

from social.models import Post


@contextmanager
def stored_video(post: Post) -> Iterator[Path | None]:
    video = post.media.filter(kind="video", file__uploaded_at__isnull=False).select_related("file").first()
    if video is None or video.file is None:
        yield None
        return
    with TemporaryDirectory(prefix="whyral-words-") as folder:
        path = Path(folder) / Path(video.file.name).name
        with default_storage.open(video.file.name) as stored, path.open("wb") as copy:
            shutil.copyfileobj(stored, copy, 1024 * 1024)
        yield path
