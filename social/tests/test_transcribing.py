"""Words: captions first, what of a model's words is believed, and why there are none."""

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from core.errors import VendorAnswerInvalid, VendorUnavailable
from sandbox.control import Reply, Route, Sandbox
from social.models import Post
from social.transcribers import NoWords, Segment, Transcript
from social.transcribers.faster_whisper import FasterWhisperTranscriber
from social.transcribers.guard import Heard, believable
from social.transcribers.subtitles import read_json3, read_vtt
from social.transcribing import transcribe

VTT = """WEBVTT
Kind: captions

STYLE
::cue { color: red }

NOTE a note

1
00:01.000 --> 00:02.500 align:start
<v Ana>Hello &amp; <c.yellow>welcome</c>

00:00:02.500 --> 00:00:04.000
welcome to the zoo

00:00:04.000 --> 00:00:05.000
welcome to the zoo
"""
JSON3 = b"""{"events": [
{"tStartMs": 0, "dDurationMs": 9},
{"tStartMs": 1000, "dDurationMs": 3000, "segs": [{"utf8": "the first"}, {"utf8": " line"}]},
{"tStartMs": 2000, "dDurationMs": 2000, "segs": [{"utf8": "first line goes on"}]}, 7, null]}"""


def told(segments):
    return [(segment.start, segment.end, segment.text) for segment in segments]


def test_webvtt_is_read_with_its_times():
    assert told(read_vtt(VTT)) == [(1.0, 2.5, "Hello & welcome"), (2.5, 4.0, "welcome to the zoo")]


def test_rolling_captions_say_each_word_once():
    assert told(read_json3(JSON3)) == [(1.0, 2.0, "the first line"), (2.0, 4.0, "goes on")]


@pytest.mark.parametrize("source", ["", "<html>", "1\n00:01.000 --> 00:02.000\nx"])
def test_what_is_no_webvtt_is_refused(source):
    with pytest.raises(VendorAnswerInvalid):
        read_vtt(source)


@given(st.text(), st.binary())
def test_no_subtitles_break_the_reader(words, body):
    assert isinstance(read_vtt("WEBVTT\n\n00:01.000 --> 00:02.000\n" + words), tuple)
    try:
        read_json3(body)
    except VendorAnswerInvalid:
        assert body is not None


class Captioned(Sandbox):
    """Where captions are fetched."""

    routes = [
        Route(
            "vtt", "GET", r"/vtt", lambda self, asked: Reply(body=VTT.encode(), headers={"Content-Type": "text/vtt"})
        ),
        Route("json3", "GET", r"/json3", lambda self, asked: Reply(body=JSON3)),
    ]


@pytest.fixture
def sandbox(settings):
    with Captioned() as sandbox:
        settings.OUTBOUND_ALLOWED_HOSTS = [sandbox.address]
        settings.TRANSCRIBERS = ["captions"]
        yield sandbox


def post(**fields):
    given = {"platform_id": "youtube", "platform_post_id": "jNQXAC9IVRw", "seen_at": timezone.now(), "format": "video"}
    return Post.objects.create(**given | fields)


def caption(url="", *, language="en", automatic=False, spoken=False, form="vtt", text=""):
    return {"language": language, "automatic": automatic, "spoken": spoken, "form": form, "url": url, "text": text}


@pytest.mark.django_db
def test_a_persons_captions_in_the_spoken_language_come_first(sandbox):
    video = post(
        captions=[
            caption(f"{sandbox.url}/json3", automatic=True, spoken=True, form="json3"),
            caption(f"{sandbox.url}/json3", language="de", form="json3"),
            caption(f"{sandbox.url}/vtt", spoken=True),
        ]
    )
    found = transcribe(video.pk)
    assert isinstance(found, Transcript)
    video.refresh_from_db()
    assert (video.transcript_source, video.transcript_language, video.transcript_state) == (
        "captions:human",
        "en",
        "done",
    )
    assert video.transcript == "Hello & welcome welcome to the zoo"
    assert video.formatted_transcript[0] == {"start": 1.0, "end": 2.5, "text": "Hello & welcome", "probability": None}
    assert transcribe(video.pk) is None
    assert [call.operation for call in sandbox.calls] == ["vtt"]


@pytest.mark.django_db
def test_captions_that_cannot_be_read_give_way_to_the_next(sandbox):
    video = post(captions=[caption(f"{sandbox.url}/json3", spoken=True), caption(f"{sandbox.url}/vtt", automatic=True)])
    assert transcribe(video.pk).source == "captions:automatic"


@pytest.mark.django_db
def test_captions_that_cannot_be_fetched_just_now_are_tried_again_later(sandbox):
    sandbox.fail("vtt", drop=True, times=-1)
    video = post(captions=[caption(f"{sandbox.url}/vtt")])
    with pytest.raises(VendorUnavailable):
        transcribe(video.pk)
    video.refresh_from_db()
    assert video.transcript_state == "vendor_unavailable"


@pytest.mark.django_db
@pytest.mark.parametrize(("form", "state"), [("image", "no_video"), ("text", "no_video"), ("video", "no_captions")])
def test_a_post_without_words_says_why(sandbox, form, state):
    found = transcribe(post(format=form).pk)
    assert isinstance(found, NoWords)
    assert (found.state, Post.objects.get().transcript_state) == (state, state)


@pytest.mark.django_db
def test_without_captions_and_without_a_model_it_says_what_is_missing(settings, tmp_path):
    settings.TRANSCRIBERS = ["captions", "openai_whisper"]
    found = transcribe(post().pk)
    assert (found.state, "extra" in found.advice) == ("unavailable", True)


@pytest.mark.django_db
def test_a_video_that_is_not_stored_cannot_be_heard():
    assert FasterWhisperTranscriber().transcribe(post()).state == "no_video"


def heard(text, *, at=0.0, no_speech=0.1, sureness=-0.2, seconds=2.0):
    segment = Segment(start=at, end=at + seconds, text=text)
    return Heard(segment=segment, no_speech=no_speech, sureness=sureness)


SPEECH = [heard("Twenty kilos of tomatoes."), heard("On four square metres.", at=2.0)]


def test_ordinary_speech_is_believed():
    assert [each.text for each in believable(SPEECH, language_probability=0.9)] == [
        each.segment.text for each in SPEECH
    ]


@pytest.mark.parametrize(
    "doubtful",
    [
        heard("uh", no_speech=0.9, sureness=-1.5),
        heard("la " * 60),
        heard("Subtitles by the Amara.org community"),
        heard("Legendas pela comunidade Amara.org"),
        heard("Thanks for watching!"),
        heard("  "),
    ],
)
def test_what_models_say_when_nobody_speaks_is_dropped(doubtful):
    assert len(believable([*SPEECH, doubtful], language_probability=0.9)) == 2
    assert believable([doubtful], language_probability=0.9) == ()


def test_a_loop_is_dropped_and_a_refrain_is_not():
    loop = [heard(f"Same again{'.' * (n % 2)}", at=float(n)) for n in range(9)]
    assert believable(loop, language_probability=0.9) == ()
    assert len(believable(loop[:4], language_probability=0.9)) == 4


def test_an_unknown_language_is_no_speech():
    assert believable(SPEECH, language_probability=0.1) == ()
