"""Media in Supabase Storage: what is kept there, what its refusals mean, and what the sweep finds."""

import hashlib
import time
from datetime import timedelta

import httpx
import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone

from core import errors
from sandbox.supabase import SupabaseSandbox
from social import storage
from social.errors import MediaTooLarge
from social.models import StoredFile
from social.sweep import sweep_media

BYTES = bytes(range(256)) * 40
SHA = hashlib.sha256(BYTES).hexdigest()
NAME = f"{SHA[:2]}/{SHA[2:4]}/{SHA}.mp4"


@pytest.fixture
def sandbox():
    with SupabaseSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def bucket(settings, sandbox):
    for name, value in sandbox.settings().items():
        setattr(settings, name, value)
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "social.storage.supabase.SupabaseStorage"}}
    return storages["default"]


def test_what_is_saved_is_there_and_goes_again(bucket):
    for _ in range(2):
        assert bucket.save(NAME, ContentFile(BYTES)) == NAME
    with bucket.open(NAME) as file:
        assert (bucket.exists(NAME), bucket.size(NAME), file.read()) == (True, len(BYTES), BYTES)
    bucket.delete(NAME)
    bucket.delete(NAME)
    assert not bucket.exists(NAME)
    with pytest.raises(FileNotFoundError):
        bucket.open(NAME)


def test_a_link_works_without_a_key_and_only_for_a_while(bucket, settings):
    bucket.save(NAME, ContentFile(BYTES))
    assert httpx.get(bucket.url(NAME)).content == BYTES
    settings.MEDIA_LINK_SECONDS = 1
    link = bucket.url(NAME)
    time.sleep(2.1)
    assert httpx.get(link).status_code == 400
    with pytest.raises(FileNotFoundError):
        bucket.url(NAME.replace(".mp4", ".jpg"))


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (400, {"statusCode": "403", "error": "Unauthorized", "code": "AccessDenied"}, errors.VendorRefused),
        (400, {"statusCode": "413", "error": "Payload too large", "code": "EntityTooLarge"}, MediaTooLarge),
        (400, {"statusCode": "423", "code": "ResourceLocked"}, errors.VendorUnavailable),
        (544, {"statusCode": "544", "code": "DatabaseTimeout"}, errors.VendorUnavailable),
        (400, {"statusCode": "404", "code": "NoSuchBucket"}, errors.NotConfigured),
        (403, b"<html>no", errors.VendorRefused),
        (400, [], errors.VendorRefused),
    ],
)
def test_its_refusals_are_understood(bucket, sandbox, status, body, problem):
    sandbox.fail("upload", status=status, body=body, times=-1)
    with pytest.raises(problem):
        bucket.save(NAME, ContentFile(BYTES))


def test_a_passing_trouble_passes(bucket, sandbox):
    sandbox.fail("upload", status=429, body={"statusCode": "429", "code": "SlowDown"})
    bucket.save(NAME, ContentFile(BYTES))
    assert sandbox.count("upload") == 2


@pytest.mark.parametrize("name", ["../x.jpg", "a.jpg", NAME + "/../../x", "ab/cd/\u00e4.jpg"])
def test_only_names_of_ours_leave_the_house(bucket, sandbox, name):
    for act in (bucket.exists, bucket.delete, bucket.url, lambda name: bucket.save(name, ContentFile(b"x"))):
        with pytest.raises(SuspiciousFileOperation):
            act(name)
    assert sandbox.calls == []


@pytest.mark.django_db
def test_files_are_kept_and_swept_as_on_disk(bucket, sandbox, tmp_path):
    path = tmp_path / "video"
    path.write_bytes(BYTES)
    file = storage.keep(path, sha256=SHA, media_type="video/mp4", extension="mp4")
    shown = httpx.get(storage.link(file))
    assert (shown.content, shown.headers["content-type"]) == (BYTES, "video/mp4")
    unknown = f"{'0' * 2}/{'0' * 2}/{'0' * 64}.jpg"
    bucket.save(unknown, ContentFile(b"x"))
    assert sweep_media() == {"expired": 0, "unused": 0, "unknown": 0}
    StoredFile.objects.update(touched_at=timezone.now() - timedelta(days=2))
    sandbox.buckets["media"][unknown].created_at = "2026-01-01T00:00:00+00:00"
    assert sweep_media() == {"expired": 0, "unused": 1, "unknown": 1}
    assert sandbox.buckets["media"] == {}
