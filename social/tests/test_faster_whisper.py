"""Whisper: the real loading and decoding code, on models of random weights that are made here."""

import shutil
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.utils import timezone

from social import storage
from social.errors import MediaUnreadable
from social.models import Post, PostMedia
from social.scrapers.samples import FOLDER
from social.tests.test_media import video
from social.tests.tiny_whisper import build
from social.transcribers.contract import NoWords, Transcript
from social.transcribers.faster_whisper import FasterWhisperTranscriber
from social.transcribers.sound import NoSound, samples_of
from social.transcribing import transcribe

pytestmark = pytest.mark.django_db
SPOKEN = FOLDER / "media" / "PWhyralDm01.mp4"


@pytest.fixture
def disk(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "social.storage.disk.DiskStorage"}}
    settings.TRANSCRIBERS = ["faster_whisper"]
    return storages["default"]


def post_with(path, number=1):
    now = timezone.now()
    post = Post.objects.create(platform_id="youtube", platform_post_id=f"{number}", seen_at=now, format="video")
    file = storage.keep(path, sha256=f"{number:064d}", media_type="video/mp4", extension="mp4")
    PostMedia.objects.create(post=post, kind="video", file=file, state="stored")
    return post


def written(path, body):
    path.write_bytes(body)
    return path


def test_what_is_said_is_stored_with_its_times_its_language_and_its_source(disk, tmp_path, settings):
    settings.WHISPER_MODEL = str(build(tmp_path / "tiny", says="Tomatoes."))
    post = post_with(SPOKEN)
    assert isinstance(transcribe(post.pk), Transcript)
    post.refresh_from_db()
    assert (post.transcript, post.transcript_language, post.transcript_state) == ("Tomatoes.", "en", "done")
    assert post.transcript_source == "faster_whisper:tiny"
    [segment] = post.formatted_transcript
    assert (segment["start"], segment["end"], segment["text"]) == (0.0, 0.5, "Tomatoes.")
    assert 0.9 < segment["probability"] <= 1


def test_a_model_is_loaded_once_in_a_process(disk, tmp_path, settings):
    folder = build(tmp_path / "once", says="Again.")
    settings.WHISPER_MODEL = str(folder)
    for number in (1, 2):
        assert transcribe(post_with(SPOKEN, number).pk).text == "Again."
        shutil.rmtree(folder, ignore_errors=True)


def test_what_a_model_of_chance_says_is_not_believed(disk, tmp_path, settings):
    settings.WHISPER_MODEL = str(build(tmp_path / "chance"))
    post = post_with(SPOKEN)
    assert transcribe(post.pk) == NoWords(state="no_reliable_speech")
    post.refresh_from_db()
    assert (post.transcript, post.transcript_state) == ("", "no_reliable_speech")


def test_silence_never_reaches_the_model(disk, tmp_path, settings):
    # It would say its word to anything.
    settings.WHISPER_MODEL = str(build(tmp_path / "silent", says="Tomatoes."))
    silent = written(tmp_path / "silence", video(seconds=3))
    assert transcribe(post_with(silent).pk) == NoWords(state="no_speech")


def test_a_video_without_sound_says_so(disk, tmp_path, settings):
    settings.WHISPER_MODEL = str(build(tmp_path / "mute"))
    mute = written(tmp_path / "mute.mp4", video(sound=False))
    assert transcribe(post_with(mute).pk) == NoWords(state="no_audio")


@pytest.mark.parametrize("there", [False, True])
def test_a_model_that_is_not_here_is_said_to_be_missing(disk, tmp_path, settings, there):
    settings.WHISPER_MODEL = str(tmp_path / "no such model")
    if there:
        Path(settings.WHISPER_MODEL).mkdir()
    found = FasterWhisperTranscriber().transcribe(post_with(SPOKEN))
    assert isinstance(found, NoWords)
    assert (found.state, "WHISPER_MODEL" in found.advice) == ("unavailable", True)


def test_a_file_s_sound_is_read_as_whisper_wants_it(tmp_path, settings):
    path = Path(shutil.copy(SPOKEN, tmp_path))
    samples = samples_of(path)
    assert (str(samples.dtype), 4.7 < len(samples) / 16_000 < 4.9) == ("float32", True)
    assert 0.05 < abs(samples).max() <= 1
    settings.VIDEO_MAX_SECONDS = 1
    assert len(samples_of(path)) == 16_000


@pytest.mark.parametrize(
    ("body", "problem"), [(b"no video", MediaUnreadable), (b"", MediaUnreadable), (video(sound=False), NoSound)]
)
def test_a_file_without_sound_is_none(tmp_path, body, problem):
    with pytest.raises(problem):
        samples_of(written(tmp_path / "a.mp4", body))


def test_a_damaged_packet_is_a_gap_and_not_the_end(tmp_path):
    whole, body = Path(shutil.copy(SPOKEN, tmp_path)), bytearray(SPOKEN.read_bytes())
    middle = len(body) // 2
    body[middle : middle + 3000] = bytes(3000)
    damaged = written(tmp_path / "damaged.mp4", bytes(body))
    assert len(samples_of(damaged)) > len(samples_of(whole)) / 2
