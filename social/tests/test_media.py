"""Media: what is kept, what is taken out of it, and what is stopped."""

import io
import itertools
import struct
import zlib
from datetime import UTC, datetime
from fractions import Fraction

import av
import pytest
from django.core.files.storage import storages
from PIL import Image

from sandbox.control import Reply, Route, Sandbox
from social import platforms
from social.facts import Media, ScrapedPost
from social.media.keep import keep_media
from social.media.sniff import sniff
from social.models import PostMedia, StoredFile
from social.saving import save_posts

pytestmark = pytest.mark.django_db
PLACE = b"+52.5200+013.4050/"


def picture(form="JPEG", size=(64, 48), **options):
    buffer = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(buffer, form, **options)
    return buffer.getvalue()


def picture_with_a_place():
    exif = Image.Exif()
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    exif[0x010F] = "a camera"
    exif[0x0112] = 6
    return picture(exif=exif)


def video(seconds=2, rate=10, codec="mpeg4", form="mp4", sound=True, size=(64, 96)):
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        container.metadata["location"] = PLACE.decode()
        container.metadata["title"] = "a secret title"
        shown = container.add_stream(codec, rate=rate)
        (shown.width, shown.height), shown.pix_fmt = size, "yuv420p"
        heard = container.add_stream("aac", rate=16000) if sound else None
        for number in range(seconds * rate):
            frame = av.VideoFrame.from_image(Image.new("RGB", size, (number * 5 % 255, 40, 90)))
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(shown.encode(frame))
        container.mux(shown.encode(None))
        if heard:
            for number in range(seconds * 16):
                samples = av.AudioFrame(format="fltp", layout="mono", samples=1000)
                for plane in samples.planes:
                    plane.update(bytes(plane.buffer_size))
                samples.sample_rate, samples.pts = 16000, number * 1000
                container.mux(heard.encode(samples))
            container.mux(heard.encode(None))
    return buffer.getvalue()


class Keeper(Sandbox):
    """Where a platform keeps its media."""

    def __init__(self):
        super().__init__()
        self.files = {}

    def give(self, asked, name):
        body = self.files.get(name)
        if body is None:
            return Reply(status=403)
        return body() if callable(body) else Reply(body=body, headers={"Content-Type": "image/jpeg"})

    routes = [Route("give", "GET", r"/(.*)", give)]


@pytest.fixture
def keeper(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "social.storage.disk.DiskStorage"}}
    with Keeper() as keeper:
        settings.OUTBOUND_ALLOWED_HOSTS = [keeper.address]
        yield keeper


numbers = itertools.count(1000)


def kept(keeper, *media):
    """What becomes of media: kinds, and bytes or addresses."""
    address = platforms.address("x", str(next(numbers)))
    facts = []
    for position, (kind, body) in enumerate(media):
        if not isinstance(body, str):
            keeper.files[f"{position}"] = body
            body = f"{keeper.url}/{position}"
        facts.append(Media(kind=kind, url=body, position=position))
    post = ScrapedPost(address=address, media=tuple(facts))
    post_id = save_posts([post], source="test", at=datetime.now(UTC))[("x", address.post_id)]
    result = keep_media(post_id)
    return result, [*PostMedia.objects.filter(post=post_id).exclude(kind="frame").order_by("position")], post_id


def stored(medium):
    with storages["default"].open(medium.file.name) as file:
        return file.read()


def test_a_picture_is_kept_without_where_it_was_taken(keeper):
    result, [medium], _ = kept(keeper, ("image", picture_with_a_place()))
    assert (result.stored, result.failed, medium.state, medium.error) == (1, {}, "stored", "")
    with Image.open(io.BytesIO(stored(medium))) as image:
        assert (dict(image.getexif()), image.size) == ({}, (48, 64))
    assert b"a camera" not in stored(medium)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF"])
def test_pictures_of_every_form_are_kept(keeper, form):
    assert kept(keeper, ("image", picture(form)))[0].stored == 1


def test_a_see_through_picture_stays_see_through(keeper):
    buffer = io.BytesIO()
    Image.new("RGBA", (8, 8), (1, 2, 3, 0)).save(buffer, "PNG")
    _, [medium], _ = kept(keeper, ("image", buffer.getvalue()))
    assert medium.file.media_type == "image/png"


def test_a_video_is_kept_with_frames_and_without_its_metadata(keeper):
    result, [medium], post_id = kept(keeper, ("video", video(seconds=6)))
    assert (result.failed, medium.width, medium.height, round(medium.seconds)) == ({}, 64, 96, 6)
    body = stored(medium)
    assert (PLACE in body, b"secret title" in body) == (False, False)
    with av.open(io.BytesIO(body)) as container:
        assert (len(container.streams.video), len(container.streams.audio)) == (1, 1)
    at = [*PostMedia.objects.filter(post=post_id, kind="frame").order_by("position").values_list("position", flat=True)]
    assert at[:4] == [0, 1000, 2000, 3000]
    assert len(at) == 12


def test_the_same_bytes_are_kept_once(keeper):
    body = picture()
    kept(keeper, ("image", body))
    kept(keeper, ("image", body), ("thumbnail", body))
    assert StoredFile.objects.count() == 1
    assert PostMedia.objects.filter(state="stored").count() == 3


def test_one_medium_that_fails_harms_no_other(keeper):
    result, media, post_id = kept(keeper, ("image", b"nothing"), ("image", picture()), ("video", f"{keeper.url}/gone"))
    assert [(medium.state, medium.error) for medium in media] == [
        ("failed", "media_unreadable"),
        ("stored", ""),
        ("failed", "source_expired"),
    ]
    assert result.failed == {"media_unreadable": 1, "source_expired": 1}
    keeper.files["0"] = picture()
    assert keep_media(post_id).failed == {"source_expired": 1}


def zip_bomb_of_a_header():
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = zlib.compress(bytes(1000))
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)),
            struct.pack(">I", len(data)) + b"IDAT" + data + struct.pack(">I", zlib.crc32(b"IDAT" + data)),
        ]
    )


CANARY = b"canary-of-this-machine"
LISTS = {
    "m3u8": b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nfile:///etc/passwd\n#EXT-X-ENDLIST",
    "behind ftyp": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isom" + b"#EXTM3U\nfile:///etc/passwd\n",
    "avi": b"RIFF\x00\x00\x00\x00AVI GAB2\x00#EXTM3U\nfile:///etc/passwd",
    "dash": b'<?xml version="1.0"?><MPD><BaseURL>file:///etc/passwd</BaseURL></MPD>',
    "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "page": b"<html><script>1</script></html>",
    "archive": b"PK\x03\x04" + bytes(60),
    "empty": b"",
    "cut off": video()[:900],
    "holes": video()[:400] + bytes(2000) + video()[2400:],
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("kind", ["video", "image"])
def test_what_is_no_picture_and_no_video_is_refused(keeper, name, kind):
    _, [medium], _ = kept(keeper, (kind, LISTS[name]))
    assert (medium.state, medium.file) == ("failed", None)
    assert medium.error in {"media_unreadable", "media_refused"}


def test_what_hides_behind_a_picture_is_left_behind(keeper):
    _, [medium], _ = kept(keeper, ("image", picture() + b"PK\x03\x04<script>" + CANARY))
    assert CANARY not in stored(medium)


def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header(keeper):
    _, [medium], _ = kept(keeper, ("image", zip_bomb_of_a_header()))
    assert medium.error == "media_too_large"


def test_a_video_that_is_too_long_is_refused(keeper, settings):
    settings.VIDEO_MAX_SECONDS = 1
    _, [medium], _ = kept(keeper, ("video", video(seconds=3)))
    assert medium.error == "media_too_large"


def test_a_body_without_end_is_stopped(keeper, settings):
    settings.IMAGE_MAX_BYTES = 2_000_000
    _, [medium], _ = kept(keeper, ("image", lambda: Reply(body=itertools.repeat(b"\xff\xd8\xff" + bytes(65_000)))))
    assert medium.error == "media_too_large"


def test_a_compressed_body_is_not_inflated(keeper):
    body = zlib.compress(bytes(10_000_000))
    _, [medium], _ = kept(keeper, ("image", lambda: Reply(body=body, headers={"Content-Encoding": "deflate"})))
    assert medium.error == "vendor_answer_invalid"


HOSTS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.0.0.1.",
    "0", "0.0.0.0", "10.0.0.1", "10.1", "167772161", "0xa000001", "172.16.0.1", "172.31.255.255",  # noqa: S104
    "192.168.0.1",
    "192.168.1", "3232235521", "169.254.169.254", "0xa9fea9fe", "2852039166", "169.254.43518", "100.64.0.1",
    "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "168.63.129.16", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[2001::1]", "[fe80::1]", "[fe80::1%25lo]",
    "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]", "localhost", "localhost.", "LOCALHOST",
    "a.localhost", "localhost.localdomain", "ip6-localhost", "metadata.google.internal", "metadata",
]  # fmt: skip
ODD = [
    "file:///etc/passwd", "gopher://127.0.0.1:11211/_stats", "ftp://127.0.0.1/x", "data:image/png;base64,AAAA",
    "dict://127.0.0.1:11211/", "ldap://127.0.0.1", "jar:http://127.0.0.1!/", "//127.0.0.1/x", "http:127.0.0.1/x",
    "http:///127.0.0.1/x", "http://user@127.0.0.1/", "http://user:pass@127.0.0.1/", "http://x.com@127.0.0.1/",
    "http://127.0.0.1\\@x.com/", "http://127.0.0.1#@x.com/", "http://x.com:22/", "http://x.com:6379/",
    "http://x.com:25/", "http://\u2460\u2461\u2466.0.0.1/", "http://127\u30020\u30020\u30021/", "http://\uff11\uff12\uff17.0.0.1/",
    "http://[::1/", "http://]/", "http://", "", "sample:1.jpg", "http://127.0.0.1%00.x.com/", "http://0.0.0.0.nip.io:1/",
]  # fmt: skip
HOSTILE = [f"http://{host}{port}/x" for host in HOSTS for port in ("", ":1234")] + ODD


def test_no_hostile_address_is_visited(keeper):
    assert len(HOSTILE) >= 100
    # The keeper itself listens on loopback; under any other spelling of its address nobody comes.
    port = keeper.port
    spelled = [f"http://{host}:{port}/0" for host in HOSTS if host != "127.0.0.1"]
    for url in [*HOSTILE, *spelled]:
        _, [medium], _ = kept(keeper, ("image", url))
        assert medium.state == "failed", url
    assert keeper.calls == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[::1]", "0x7f.1", "10.0.0.1", "localhost:1"])
def test_no_redirect_leads_to_one(keeper, host):
    _, [medium], _ = kept(keeper, ("image", lambda: Reply(status=302, headers={"Location": f"http://{host}/x"})))
    assert medium.error in {"address_refused", "vendor_unavailable"}
    assert keeper.count("give") == 1


def test_only_known_beginnings_are_known():
    assert (sniff(picture()[:64]).decoder, sniff(video()[:64]).decoder) == ("JPEG", "mp4")
    assert sniff(b"GIF87") is sniff(b"") is sniff(b"RIFF    WAVE") is None
