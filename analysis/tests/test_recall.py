"""What a chat is told: the evidence whole, the talk as far as there is room, and never more than there is room for."""

from typing import Any

import pytest
import structlog

from analysis import evidence
from analysis.answer import LONGEST_CLAIM
from analysis.chat import recall
from analysis.chat.models import ChatMessage
from analysis.dossier import Comment, Frame, Known, Spoken, Verdict
from analysis.providers.contract import Message
from analysis.room import size_of
from analysis.stages.analyse import _evidence as stored
from analysis.tests.talking import session_of
from analysis.tests.test_prompting import sections_of
from core.ids import uuid7

pytestmark = pytest.mark.django_db
# A smaller one than any server has by itself, and the default.
SMALL, USUAL = 8_000, 64_000


def evidence_of(**facts: Any) -> list[dict[str, Any]]:
    known = Known(**{"platform": "youtube", "url": "https://www.youtube.com/watch?v=abc", **facts})
    return [stored(item) for item in evidence.build(known, Verdict(label="typical", basis="As usual."))]


def hour_of(words: str, *, seconds: int = 3_600) -> tuple[Spoken, ...]:
    return tuple(Spoken(start=at, end=at + 4, text=f"{words} {at}") for at in range(0, seconds, 4))


def most_of_everything() -> list[dict[str, Any]]:
    """As much of each kind as a post can have."""
    return evidence_of(
        text="\n".join(f"{number} " + "line " * 120 for number in range(30)),
        spoken=hour_of("so many words are said in this clip", seconds=40_000),
        comments=tuple(Comment(text=f"{number} " + "wish " * 120) for number in range(60)),
        frames=tuple(
            Frame(kind="image", file="f.jpg", media_type="image/jpeg", alt_text=f"{number} " + "seen " * 120)
            for number in range(20)
        ),
        profile={"name": "n" * 400, "bio": "b" * 400, "followers": 5},
    )


def told(session: Any, items: list[dict[str, Any]], **result: Any) -> list[Message]:
    """What is told for the next answer about these items."""
    analysis = session.post_analysis
    for name, value in {"evidence": items, **result}.items():
        setattr(analysis, name, value)
    return recall.messages_for(ChatMessage(session=session), analysis, recall.dossier_of(analysis))


def size(messages: list[Message]) -> int:
    return sum(size_of(message.text) for message in messages)


def evidence_in(messages: list[Message]) -> list[str]:
    return sections_of(data_of(messages))["EVIDENCE"]


def data_of(messages: list[Message]) -> str:
    return messages[0].text[messages[0].text.index("Boundary: ") :]


def say(session: Any, *turns: str) -> None:
    """Question and answer in turn."""
    roles = (ChatMessage.Role.USER, ChatMessage.Role.ASSISTANT)
    # Ids of one millisecond are in no order by themselves.
    ids = sorted(uuid7() for _ in turns)
    ChatMessage.objects.bulk_create(
        ChatMessage(id=id_, session=session, role=roles[number % 2], status="complete", content=text)
        for number, (id_, text) in enumerate(zip(ids, turns, strict=True))
    )


def test_all_that_a_post_can_have_is_told_whole_with_a_full_result_and_a_long_question(user):
    session, items = session_of(user), most_of_everything()
    claim = {"text": "x" * LONGEST_CLAIM, "evidence": ["c1"] * 4, "supported": True}
    say(session, "q" * 4_000)
    messages = told(session, items, improvements=[claim] * 44)
    assert len(items) > 150
    assert {line.partition(") ")[2] for line in evidence_in(messages)} == {item["text"] for item in items}
    assert size(messages) <= USUAL * 4
    assert "[cut]" not in data_of(messages)
    assert messages[-1].text == "q" * 4_000


def test_an_hour_of_speech_is_told_whole_beside_the_talk(user):
    session, items = session_of(user), evidence_of(spoken=hour_of("and then we fold the bread over and over again"))
    say(session, "First?", "The first.", "Second?")
    messages = told(session, items)
    assert sum(len(item["text"]) for item in items) > 40_000
    assert [line.partition(") ")[2] for line in evidence_in(messages) if "(transcript" in line] == [
        item["text"] for item in items if item["kind"] == "transcript"
    ]
    assert [message.text for message in messages[1:]] == ["First?", "The first.", "Second?"]


def test_the_oldest_turns_give_way_to_the_evidence(user, settings):
    """The context of a small model: what is said is whole, of the talk there is the end."""
    settings.CHAT_PROMPT_TOKENS = SMALL
    session, items = session_of(user), evidence_of(spoken=hour_of("and so we fold it", seconds=3_000))
    say(session, *(f"{number} " + "long " * 300 for number in range(9)))
    messages = told(session, items)
    assert "[cut]" not in data_of(messages)
    assert [line.partition(") ")[2] for line in evidence_in(messages) if "(transcript" in line] == [
        item["text"] for item in items if item["kind"] == "transcript"
    ]
    assert 1 < len(messages[1:]) < 9
    assert messages[1].role == "user"
    assert messages[-1].text.startswith("8 ")


@pytest.mark.parametrize(
    "words", ["and then we fold the bread over and over", "ثم نطوي الخبز مرة أخرى", "然后把面包再折叠一次🍞"]
)
def test_evidence_beyond_all_room_is_cut_to_equal_length_and_the_model_is_told(user, settings, words):
    settings.CHAT_PROMPT_TOKENS = SMALL
    session = session_of(user)
    items = evidence_of(spoken=hour_of(words, seconds=7_200), comments=(Comment(text="Part two?"),))
    say(session, "Earlier?", "An earlier answer.", "What is said?")
    with structlog.testing.capture_logs() as logs:
        messages = told(session, items)
    lines = evidence_in(messages)
    assert len(lines) == len(items)
    assert SMALL * 4 * 0.9 < size(messages) <= SMALL * 4
    cut = [line for line in lines if line.endswith("[cut]")]
    assert len({size_of(line) // 20 for line in cut}) <= 2
    assert any(line.endswith("Part two?") for line in lines)
    [note] = [line for line in sections_of(data_of(messages))["COMPUTED"] if line.startswith("evidence: ")]
    assert f"{len(items)} items, of which {len(cut)} are cut" in note
    assert [each["whole"] for each in logs if each["event"] == "evidence_has_no_room"] == [len(items) - len(cut)]
    assert messages[-1].text == "What is said?"


def test_a_question_in_any_script_is_told_whole(user, settings):
    settings.CHAT_PROMPT_TOKENS = SMALL
    session, question = session_of(user), "为" * 4_000
    say(session, question)
    messages = told(session, most_of_everything())
    assert messages[-1].text == question
    assert size(messages) <= SMALL * 4
    assert any("are not shown" in line for line in sections_of(data_of(messages))["COMPUTED"])


def test_of_a_long_answer_of_ours_its_beginning_is_told_and_that_it_goes_on(user):
    session = session_of(user)
    say(session, "First?", "a" * 9_000, "Second?")
    assert told(session, [])[2].text == "a" * 4_000 + " [cut]"


def test_no_more_than_the_newest_turns_are_told(user):
    session = session_of(user)
    say(session, *(f"turn {number}" for number in range(61)))
    talk = told(session, [])[1:]
    assert (talk[0].text, talk[-1].text, len(talk)) == ("turn 22", "turn 60", 39)


def test_the_formula_and_what_was_observed_are_told(user):
    hook = {"text": "It opens with a list.", "evidence": ["c1"], "supported": True}
    formula = {"text": "A list, then a wish.", "evidence": ["c1", "k1"], "supported": False}
    messages = told(session_of(user), [], content_observation={"hook": hook, "visuals": None}, viral_formula=formula)
    lines = sections_of(data_of(messages))["RESULT"]
    assert "content_observation.hook: It opens with a list. [c1]" in lines
    assert "viral_formula: A list, then a wish. [c1] [k1] (not supported)" in lines
    assert not any(line.startswith("content_observation.visuals") for line in lines)


def test_a_result_takes_a_quarter_of_the_room_and_what_is_cut_still_says_whether_it_holds(user, settings):
    settings.CHAT_PROMPT_TOKENS = SMALL
    claim = {"text": "x" * LONGEST_CLAIM, "evidence": ["c1"], "supported": False}
    short = {"text": "Short.", "evidence": ["c1"], "supported": True}
    messages = told(session_of(user), [], improvements=[claim] * 20, viral_formula=short)
    lines = sections_of(data_of(messages))["RESULT"]
    assert sum(map(len, lines)) < SMALL * 1.2
    assert sum(line.endswith("[cut] [c1] (not supported)") for line in lines) == 20
    assert "viral_formula: Short. [c1]" in lines
