"""A post is shared: what one worker could not get is no word against what another has got meanwhile."""

import io
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from django.db import connection
from PIL import Image

from core.errors import VendorUnavailable
from sandbox.control import Reply, Route, Sandbox
from social import platforms
from social.facts import Media, ScrapedPost
from social.media.keep import keep_media
from social.models import Post, PostMedia
from social.saving import save_posts
from social.transcribing import transcribe

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
VTT = b"WEBVTT\n\n00:01.000 --> 00:02.500\nHello and welcome\n"
ADDRESS = platforms.address("x", "20")


def picture():
    buffer = io.BytesIO()
    Image.effect_noise((64, 48), 60).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


class Meanwhile(Sandbox):
    """Answers with trouble, but not before another worker, who was given what it asked for, is through."""

    def __init__(self):
        super().__init__()
        self.body, self.trouble, self.other, self.asked = b"", 503, lambda: None, 0

    def give(self, asked):
        self.asked += 1
        if self.asked == 2:
            return Reply(body=self.body)
        if self.asked == 1:
            self.other()
            connection.close()
        return Reply(status=self.trouble)

    routes = [Route("give", "GET", r"/file", give)]


@pytest.fixture
def source(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "social.storage.disk.DiskStorage"}}
    settings.TRANSCRIBERS = ["captions"]
    with Meanwhile() as source:
        settings.OUTBOUND_ALLOWED_HOSTS = [source.address]
        yield source


def save(**facts):
    post = ScrapedPost(address=ADDRESS, **facts)
    return save_posts([post], source="test", at=datetime.now(UTC))[("x", ADDRESS.post_id)]


@pytest.mark.parametrize("trouble", [403, 503])
def test_a_picture_that_another_worker_has_kept_meanwhile_stays_kept(source, trouble):
    post = save(media=(Media(kind="image", url=f"{source.url}/file", position=0),))
    source.body, source.trouble, source.other = picture(), trouble, lambda: keep_media(post)
    kept = keep_media(post)
    assert (kept.stored, kept.failed, kept.retryable) == (1, {}, False)
    medium = PostMedia.objects.get(post=post)
    assert (medium.state, medium.error, medium.file is not None) == ("stored", "", True)


@pytest.mark.parametrize("trouble", [404, 503])
def test_words_that_another_worker_has_found_meanwhile_stay_found(source, trouble):
    post = save(format="video")
    caption = {
        "language": "en",
        "automatic": False,
        "spoken": True,
        "form": "vtt",
        "url": f"{source.url}/file",
        "text": "",
    }
    Post.objects.filter(pk=post).update(captions=[caption])
    source.body, source.trouble, source.other = VTT, trouble, lambda: transcribe(post)
    with suppress(VendorUnavailable):  # of 503: it is raised, and would have been kept
        transcribe(post)
    assert Post.objects.values_list("transcript_state", "transcript").get(pk=post) == ("done", "Hello and welcome")
    assert transcribe(post) is None
