"""What goes at night, and what must not."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.db import connection
from django.utils import timezone

from core.errors import Unavailable
from social import storage
from social.models import Post, PostMedia, StoredFile
from social.sweep import sweep_media

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=2)


@pytest.fixture
def disk(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "social.storage.disk.DiskStorage"}}
    return Path(settings.MEDIA_ROOT)


@pytest.fixture
def post():
    return Post.objects.create(
        platform_id="x", platform_post_id="20", url="https://x.com/i/status/20", seen_at=timezone.now()
    )


def keep(tmp_path, words=b"some bytes"):
    path = tmp_path / sha256(words).hexdigest()
    path.write_bytes(words)
    return storage.keep(path, sha256=path.name, media_type="image/jpeg", extension="jpg")


def age():
    StoredFile.objects.update(touched_at=timezone.now() - LONG_AGO)


def test_bytes_that_somebody_shows_stay(disk, post, tmp_path):
    PostMedia.objects.create(post=post, kind="image", file=keep(tmp_path), state="stored")
    age()
    assert sweep_media() == {"expired": 0, "unused": 0, "unknown": 0}
    assert StoredFile.objects.count() == 1


def test_bytes_that_nobody_shows_go_after_a_day(disk, tmp_path):
    file = keep(tmp_path)
    assert sweep_media()["unused"] == 0
    age()
    assert sweep_media()["unused"] == 1
    assert not storages["default"].exists(file.name)


def test_media_of_a_post_that_was_seen_long_ago_go(disk, post, tmp_path, settings):
    PostMedia.objects.create(post=post, kind="image", file=keep(tmp_path), state="stored")
    age()
    Post.objects.update(seen_at=timezone.now() - timedelta(days=settings.MEDIA_DAYS + 1))
    assert sweep_media() == {"expired": 1, "unused": 1, "unknown": 0}
    assert PostMedia.objects.values_list("state", "error").get() == ("failed", "expired")


def test_what_a_crash_left_half_done_is_finished(disk, tmp_path):
    file = keep(tmp_path)
    StoredFile.objects.update(leaving_since=timezone.now() - LONG_AGO)
    storages["default"].delete(file.name)
    assert sweep_media()["unused"] == 1
    assert keep(tmp_path).uploaded_at


def test_files_that_nobody_knows_go_after_a_day(disk, tmp_path):
    known = disk / keep(tmp_path).name
    unknown, half = known.with_name("0" * 64 + ".jpg"), known.with_name("tmp-abc")
    for path in (unknown, half):
        path.write_bytes(b"x")
    assert sweep_media()["unknown"] == 0
    for path in (unknown, half, known):
        os.utime(path, (time.time() - 2 * 86_400,) * 2)
    assert sweep_media()["unknown"] == 2
    assert [path.exists() for path in (unknown, half, known)] == [False, False, True]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_sweep_never_takes_what_is_kept_at_that_moment(disk, post, tmp_path):
    """Whoever is told that the bytes are kept finds them there, however many sweep meanwhile."""

    def work(number):
        try:
            for turn in range(10):
                if number % 2:
                    sweep_media()
                    continue
                with suppress(Unavailable):
                    show(f"bytes {turn}".encode(), number)
        finally:
            connection.close()

    def show(words, number):
        path = tmp_path / f"{number}-{words.decode()}"
        path.write_bytes(words)
        file = storage.keep(path, sha256=sha256(words).hexdigest(), media_type="image/jpeg", extension="jpg")
        PostMedia.objects.create(
            post=post, kind="image", position=number * 100 + int(words.split()[1]), file=file, state="stored"
        )

    for turn in range(10):
        keep(tmp_path, f"bytes {turn}".encode())
    age()
    with ThreadPoolExecutor(6) as workers:
        list(workers.map(work, range(6)))
    for medium in PostMedia.objects.select_related("file"):
        assert medium.file
        assert storages["default"].exists(medium.file.name)
