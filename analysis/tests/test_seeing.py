"""What a model is shown: pictures, a short video whole, and never more than there is room for."""

import hashlib
from dataclasses import replace

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from analysis import seeing
from analysis.dossier import Evidence, Frame, Video
from analysis.providers.gemini import Gemini
from analysis.providers.openai_compatible import OpenAICompatible
from analysis.providers.rules import Rules
from analysis.tests.conversing import prompt
from sandbox.supabase import SupabaseSandbox

BYTES = b"\x00 a short film"


@pytest.fixture(autouse=True)
def _media_of_its_own(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")


def kept(content, extension):
    sha = hashlib.sha256(content).hexdigest()
    return default_storage.save(f"{sha[:2]}/{sha[2:4]}/{sha}.{extension}", ContentFile(content))


def dossier(*, platform="instagram", seconds=30.0, pictures=1):
    video = Video(file=kept(BYTES, "mp4"), media_type="video/mp4", seconds=seconds)
    frames = tuple(
        Frame(kind="image", file=kept(f"picture {number}".encode(), "jpg"), media_type="image/jpeg")
        for number in range(pictures)
    )
    items = tuple(Evidence(id=f"f{number + 1}", kind="frame", text="Picture") for number in range(pictures))
    made = prompt().dossier
    known = replace(made.known, platform=platform, seconds=seconds, video=video, frames=frames)
    return replace(made, known=known, evidence=items)


def shown(dossier, provider):
    media = seeing.media_for(dossier, provider)
    return [(medium.evidence_id, medium.media_type, medium.data or medium.url) for medium in media]


PICTURE = ("f1", "image/jpeg", b"picture 0")


def test_a_short_video_is_shown_whole_to_whoever_watches_and_pictures_to_whoever_sees(settings):
    settings.SELF_HOSTED_LLM_SEES = True
    assert shown(dossier(), Gemini()) == [("", "video/mp4", BYTES), PICTURE]
    assert shown(dossier(), OpenAICompatible()) == [PICTURE]
    assert shown(dossier(), Rules()) == []


def test_a_video_of_youtube_is_shown_by_its_address():
    assert shown(dossier(platform="youtube"), Gemini())[0][2] == "https://www.youtube.com/watch?v=aaaaaaaaaaa"


@pytest.mark.parametrize("platform", ["instagram", "youtube"])
@pytest.mark.parametrize("seconds", [180.1, 0.0, None])
def test_a_long_video_or_one_of_unknown_length_is_not_shown(platform, seconds):
    assert shown(dossier(platform=platform, seconds=seconds), Gemini()) == [PICTURE]


def test_a_short_video_of_too_many_bytes_is_not_shown():
    large = kept(bytes(seeing.MOST_VIDEO_BYTES + 1), "mp4")
    found = dossier()
    found = replace(found, known=replace(found.known, video=Video(file=large, media_type="video/mp4", seconds=30.0)))
    assert shown(found, Gemini()) == [PICTURE]


def test_there_is_an_end_to_pictures():
    assert len(shown(dossier(pictures=20), Gemini())) == 1 + seeing.MOST_PICTURES


def test_a_storage_that_is_away_hides_pictures_and_fails_nothing(settings):
    with SupabaseSandbox() as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "social.storage.supabase.SupabaseStorage"}}
        found = dossier()
        assert len(shown(found, Gemini())) == 2
        sandbox.stop()
        assert shown(found, Gemini()) == []
