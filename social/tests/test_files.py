"""Links to media: who has one may look, for a while, and nobody else may anything."""

import hashlib
import time
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import Client
from django.utils import timezone

from core.errors import Unavailable
from social import storage
from social.models import StoredFile
from social.storage.disk import DiskStorage, signature

BYTES = bytes(range(256)) * 40
SHA = hashlib.sha256(BYTES).hexdigest()
NAME = f"{SHA[:2]}/{SHA[2:4]}/{SHA}.mp4"


@pytest.fixture
def disk(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "social.storage.disk.DiskStorage"}}
    disk = storages["default"]
    disk.save(NAME, ContentFile(BYTES))
    return disk


def get(url, **headers):
    parts = urlsplit(url)
    answer = Client().get(f"{parts.path}?{parts.query}", headers=headers)
    return answer.status_code, b"".join(answer) if answer.status_code in (200, 206) else b"", answer


def test_a_link_shows_the_file_and_lets_nothing_in_it_act(disk):
    status, body, answer = get(disk.url(NAME))
    assert (status, body, answer["Content-Type"], answer["Content-Disposition"]) == (200, BYTES, "video/mp4", "inline")
    assert (answer["X-Content-Type-Options"], "sandbox" in answer["Content-Security-Policy"]) == ("nosniff", True)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", BYTES[:10]),
        ("bytes=10000-", BYTES[10000:]),
        ("bytes=-5", BYTES[-5:]),
        ("bytes=5-99999", BYTES[5:]),
    ],
)
def test_a_player_is_given_the_part_it_asks_for(disk, asked, part):
    status, body, answer = get(disk.url(NAME), range=asked)
    assert (status, body, int(answer["Content-Length"])) == (206, part, len(part))
    assert answer["Content-Range"].endswith(f"/{len(BYTES)}")


@pytest.mark.parametrize("asked", ["bytes=99999-", "bytes=9-3", "bytes=-0"])
def test_a_part_that_is_not_there_is_refused(disk, asked):
    assert get(disk.url(NAME), range=asked)[0] == 416


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "lines=1-2", "bytes=-", "bytes=\u0661-2"])
def test_what_is_no_single_part_is_answered_with_the_whole(disk, asked):
    assert get(disk.url(NAME), range=asked)[:2] == (200, BYTES)


def signed(name, expires):
    return f"/media/{name}?expires={expires}&signature={signature(name, expires)}"


def test_a_link_that_was_changed_or_is_old_leads_nowhere(disk):
    soon, other = int(time.time()) + 60, NAME.replace(".mp4", ".jpg")
    good = signed(NAME, soon)
    for url in (
        good.replace(f"expires={soon}", f"expires={soon + 1}"),
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        signed(NAME, int(time.time()) - 1),
        good.replace(NAME, other),
        f"/media/{NAME}",
        f"/media/{NAME}?expires=x&signature=x",
        signed(other, soon),
        signed("../../etc/passwd", soon),
        signed("ab/../../../etc/passwd", soon),
    ):
        assert get(url)[0] == 404, url


def test_only_names_of_ours_are_written(disk):
    for name in ("../x.jpg", "a.jpg", "/etc/passwd", NAME + "/x", NAME.upper()):
        with pytest.raises(SuspiciousFileOperation):
            disk.save(name, ContentFile(b"x"))


def test_a_file_is_there_whole_or_not_at_all(disk):
    class Breaking(ContentFile):
        def read(self, *args):
            raise OSError(28, "No space left on device")

    sha = "0" * 64
    with pytest.raises(OSError, match="No space"):
        disk.save(f"00/00/{sha}.jpg", Breaking(b"x"))
    assert [name for name, _ in disk.names()] == [NAME]


@pytest.mark.django_db
def test_the_same_bytes_are_kept_once(disk, tmp_path):
    path = tmp_path / "video"
    path.write_bytes(BYTES)
    first, second = (storage.keep(path, sha256=SHA, media_type="video/mp4", extension="mp4") for _ in range(2))
    assert (first.pk, first.name, first.size, first.uploaded_at) == (second.pk, NAME, len(BYTES), second.uploaded_at)
    assert second.touched_at >= first.touched_at
    assert get(storage.link(second))[1] == BYTES


@pytest.mark.django_db
def test_bytes_that_are_leaving_are_not_kept_at_that_moment(disk, tmp_path):
    path = tmp_path / "video"
    path.write_bytes(BYTES)
    storage.keep(path, sha256=SHA, media_type="video/mp4", extension="mp4")
    StoredFile.objects.update(leaving_since=timezone.now())
    with pytest.raises(Unavailable):
        storage.keep(path, sha256=SHA, media_type="video/mp4", extension="mp4")


def test_it_is_the_storage_of_a_machine_without_keys():
    assert isinstance(storages["default"], DiskStorage)
