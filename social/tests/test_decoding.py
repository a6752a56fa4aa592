"""Decoding in the jail: how much memory the largest of each form takes, and which moments of a video are looked at."""

import io

import pytest
from PIL import Image

from core import jail
from social.jailed.decode import moments
from social.tests.test_media import video


def large(form, mode, size, **options):
    buffer = io.BytesIO()
    Image.new(mode, size, 7 if mode == "P" else None).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("form", "mode", "size", "options"),
    [
        ("JPEG", "RGB", (4096, 3072), {"quality": 60}),
        ("JPEG", "RGB", (4096, 3072), {"progressive": True, "subsampling": 0}),
        ("JPEG", "CMYK", (4096, 3072), {}),
        ("PNG", "RGB", (4096, 3072), {}),
        ("PNG", "RGBA", (4096, 3072), {}),
        ("PNG", "P", (4096, 3072), {}),
        ("GIF", "P", (4096, 3072), {}),
        ("WEBP", "RGB", (3000, 2000), {}),
        ("WEBP", "RGBA", (3000, 2000), {"lossless": True}),
    ],
)
def test_decoding_the_largest_picture_stays_small(tmp_path, form, mode, size, options):
    found = decoded(tmp_path, large(form, mode, size, **options), kind="image", decoder=form)
    assert max(found["width"], found["height"]) <= 2160
    assert found["peak_mb"] < 200


def test_decoding_the_largest_video_stays_small(tmp_path):
    body = video(size=(4096, 2160), sound=False)
    assert decoded(tmp_path, body, kind="video", decoder="mp4")["peak_mb"] < 200


@pytest.mark.parametrize(("form", "size"), [("PNG", (4097, 3072)), ("WEBP", (3001, 2000))])
def test_a_larger_one_is_refused(tmp_path, form, size):
    with pytest.raises(jail.Refusal) as refusal:
        decoded(tmp_path, large(form, "RGB", size), kind="image", decoder=form)
    assert refusal.value.code == "media_too_large"


def decoded(tmp_path, body, **job):
    path = tmp_path / "large"
    path.write_bytes(body)
    job |= {"path": str(path), "folder": str(tmp_path), "most_seconds": 60, "frames": 12}
    return jail.run("social.jailed.decode", job, seconds=30, memory_mb=2000, file_mb=64)


def test_the_first_seconds_are_looked_at_one_by_one():
    assert moments(1.5, 12) == [0.0, 1.0]
    assert moments(0.4, 12) == [0.0]
    assert moments(9.0, 6) == [0.0, 1.0, 2.0, 3.0, 5.0, 7.0]
