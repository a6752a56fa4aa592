"""The numbered things that claims can point at."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.confounders import look_for
from analysis.demand import demand_of
from analysis.dossier import Baseline, Comment, Frame, Known, Spoken, Verdict
from analysis.evidence import build
from analysis.evidence.sampling import sample
from analysis.verdict import judge

POSTED = datetime(2026, 2, 3, 14, 5, tzinfo=UTC)
VERDICT = Verdict(
    label="over",
    basis="It has 8,400 views, 8.4 times a median of 1,000.",
    multiple=8.4,
    baseline=Baseline(n=12, median=1000.0, metric="views"),
    percentile=97.0,
    computed_at=POSTED + timedelta(days=3),
)
POST = Known(
    platform="youtube",
    url="https://www.youtube.com/watch?v=abc",
    author="garden",
    profile={"name": "Balcony Garden", "followers": 132_000, "bio": "Small gardens.", "verified": True},
    title="I grew 20 kg",
    text="Two buckets.\n\n  One rope.  ",
    seconds=75.0,
    posted_at=POSTED,
    metrics={"views": 8400, "likes": 400, "comments": 20},
    details={"hashtags": ["garden"]},
    spoken=(Spoken(start=0.0, end=2.5, text="Twenty kilos."), Spoken(start=12.4, end=15.0, text="Two buckets.")),
    comments=(Comment(text="Nice", author="ana_secret", likes=3), Comment(text="Which soil?", author="rui", likes=9)),
    frames=(
        Frame(kind="frame", file="a.jpg", media_type="image/jpeg", second=2.0),
        Frame(kind="thumbnail", file="b.jpg", media_type="image/jpeg"),
        Frame(kind="image", file="c.jpg", media_type="image/jpeg", alt_text="A red tomato"),
    ),
)
ITEMS = {item.id: item for item in build(POST, VERDICT)}


def built(letter, **known):
    post = Known(**{"platform": "instagram", "url": "https://example.org/p/1"} | known)
    return [item for item in build(post, VERDICT) if item.id.startswith(letter)]


def texts(letter, **known):
    return [item.text for item in built(letter, **known)]


def test_the_same_post_gives_the_same_evidence():
    assert build(POST, VERDICT) == build(POST, VERDICT)


def test_ids_are_numbered_by_kind_and_used_once():
    assert list(ITEMS) == [
        "c1", "c2", "c3", "c4", "t1", "t2", "k1", "k2", "m1", "m2", "m3", "m4", "m5", "f1", "f2", "f3", "p1",
    ]  # fmt: skip
    assert len(ITEMS) == len(build(POST, VERDICT))


def test_nothing_known_still_says_what_the_verdict_rests_on():
    assert texts("", platform="x", url="") == [f"{VERDICT.basis} Its percentile among them is 97."]


# What is written


def test_the_title_comes_first_then_each_line_then_the_hashtags_beside_the_text():
    assert [ITEMS[id_].text for id_ in ("c1", "c2", "c3", "c4")] == [
        "I grew 20 kg",
        "Two buckets.",
        "One rope.",
        "#garden",
    ]


def test_a_hashtag_of_the_text_is_not_told_twice():
    assert texts("c", text="Look #Garden", details={"hashtags": ["garden", "gardens"]}) == ["Look #Garden", "#gardens"]


def test_a_long_line_goes_on_in_the_next_item():
    pieces = texts("c", text="word " * 300)
    assert max(map(len, pieces)) <= 500
    assert " ".join(pieces).split() == ["word"] * 300


def test_no_more_than_thirty_lines_are_told_and_the_hashtags_keep_a_place():
    lines = texts("c", text="\n".join(f"line {number}" for number in range(50)), details={"hashtags": ["last"]})
    assert (len(lines), lines[0], lines[-1]) == (30, "line 0", "#last")


def test_no_markup_survives():
    item = build(
        Known(
            platform="x",
            url="",
            text="Hi <script>alert(1)</script> <b>you</b>",
            comments=(Comment(text="<img src=x> ok"),),
        ),
        VERDICT,
    )
    assert [each.text for each in item if each.kind in {"caption", "comment"}] == ["Hi you", "ok"]


# What is said


def test_speech_keeps_its_times_and_youtube_opens_there():
    assert (ITEMS["t2"].start, ITEMS["t2"].end) == (12.4, 15.0)
    assert ITEMS["t2"].url == "https://www.youtube.com/watch?v=abc&t=12s"
    assert ITEMS["c1"].url == ITEMS["k1"].url == "https://www.youtube.com/watch?v=abc"


def test_elsewhere_the_address_of_the_post_has_to_do():
    assert [item.url for item in built("t", spoken=POST.spoken)] == ["https://example.org/p/1"] * 2


@pytest.mark.parametrize("number", [60, 61, 119, 1000])
def test_long_speech_is_merged_so_that_none_of_it_is_lost(number):
    spoken = tuple(Spoken(start=each * 2.0, end=each * 2.0 + 2, text=f"word{each}") for each in range(number))
    items = built("t", spoken=spoken)
    assert len(items) <= 60
    assert " ".join(item.text for item in items).split() == [each.text for each in spoken]
    assert (items[0].start, items[-1].end) == (0.0, number * 2.0)
    assert all(one.end <= other.start for one, other in pairwise(items))


def test_the_opening_of_long_speech_stays_in_single_segments():
    spoken = tuple(Spoken(start=each * 2.0, end=each * 2.0 + 2, text=f"word{each}") for each in range(1000))
    assert texts("t", spoken=spoken)[:8] == [f"word{number}" for number in range(8)]


def test_an_item_of_speech_has_a_bound_so_that_a_chat_has_room_for_all():
    spoken = tuple(Spoken(start=each * 2.0, end=each * 2.0 + 2, text="word " * 20) for each in range(9_000))
    items = built("t", spoken=spoken)
    assert len(items) <= 60
    assert max(len(item.text) for item in items) == 2_000
    assert items[-1].end == 18_000.0


def test_silence_is_no_evidence():
    assert texts("t", spoken=(Spoken(start=0, end=1, text="  "), Spoken(start=1, end=2, text="\x1b"))) == []


# What readers say


def test_the_most_liked_comment_comes_first_without_who_wrote_it():
    assert (ITEMS["k1"].text, ITEMS["k1"].numbers) == ("Which soil?", {"likes": 9.0})
    assert not [item for item in ITEMS.values() if "ana_secret" in item.text]


def test_forty_comments_are_shown_and_those_that_say_something_new_are_among_them():
    same = [Comment(text=f"great video {number % 7} {number}", likes=500 - number) for number in range(200)]
    new = Comment(text="My balcony faces north, does basil survive winter there?", likes=0)
    shown = texts("k", comments=(*same, new))
    assert len(shown) == 40
    assert shown[:20] == [comment.text for comment in same[:20]]
    assert new.text in shown


def test_what_has_been_said_gives_way_to_what_has_not():
    said = [Comment(text=f"one two three four five six {number}", likes=9) for number in range(4)]
    new = Comment(text="soil and water", likes=1)
    assert sample([*said, new], most=4) == [said[0], said[1], new, said[2]]


def test_a_repeated_comment_is_shown_once():
    assert texts("k", comments=(Comment(text="Nice!"), Comment(text="nice!", likes=8), Comment(text=" "))) == ["nice!"]


def test_of_the_authors_own_comments_only_the_pinned_one_is_shown():
    own = (
        Comment(text="Thanks", by_post_author=True, likes=99),
        Comment(text="Link here", by_post_author=True, pinned=True),
    )
    assert texts("k", comments=own) == ["Link here"]


def test_a_sample_is_never_larger_than_asked():
    assert [len(sample([Comment(text=f"n{n}") for n in range(30)], most=most)) for most in (0, 1, 2, 40)] == [
        0,
        1,
        2,
        30,
    ]


# What was measured


def test_counts_are_a_sentence_and_numbers():
    assert ITEMS["m1"].text == "8,400 views, 400 likes, 20 comments when it was collected."
    assert ITEMS["m1"].numbers == {"views": 8400, "likes": 400, "comments": 20}


def test_the_verdict_is_evidence_with_its_numbers():
    assert ITEMS["m2"].text.startswith(VERDICT.basis)
    assert ITEMS["m2"].numbers == {"multiple": 8.4, "median": 1000, "percentile": 97, "posts": 12}


def test_the_time_of_posting_is_told_in_utc():
    assert ITEMS["m3"].text == "Posted on Tuesday, 2026-02-03 at 14:05 UTC, 3 days before it was looked at."
    assert ITEMS["m3"].numbers == {"hour": 14, "age_hours": 72, "age_days": 3}


def test_the_length_is_told_in_seconds_pictures_and_words():
    assert ITEMS["m4"].text == "Length: the video runs 1:15 (75 seconds), it shows 1 picture, its text has 8 words."
    assert ITEMS["m4"].numbers["seconds"] == 75


def test_the_engagement_rate_is_for_views_or_else_for_followers():
    assert ITEMS["m5"].text == "5 interactions (likes, comments) for every 100 views."
    assert texts("m", metrics={"likes": 30}, profile={"followers": 1000})[-1].endswith("for every 100 followers.")
    assert len(texts("m", metrics={"likes": 30})) == 2


def test_what_the_platform_says_is_one_fact():
    details = {"paid_partnership": True, "partner": "shoes", "collaborators": ["@star"], "pinned": True}
    assert texts("m", details=details)[-1] == (
        "What the platform says of it: it is a paid partnership; its partner is @shoes; co-authors @star; "
        "it is pinned to the top of its author's profile."
    )


def test_counts_that_cannot_be_are_left_out():
    item = built("m", metrics={"views": -4, "likes": 10**400, "comments": 7})[0]
    assert item.numbers == {"comments": 7}


# What is seen, and whose it is


def test_frames_have_their_second_or_their_place_and_alternative_text():
    assert [ITEMS[id_].text for id_ in ("f1", "f2", "f3")] == ["Frame at 0:02", "Thumbnail", "Picture 1: A red tomato"]
    assert (ITEMS["f1"].start, ITEMS["f1"].url) == (2.0, "https://www.youtube.com/watch?v=abc&t=2s")


def test_the_profile_is_one_item_with_its_followers():
    assert ITEMS["p1"].text == "Balcony Garden, @garden, verified, 132,000 followers: Small gardens."
    assert ITEMS["p1"].numbers == {"followers": 132_000}


def test_a_post_whose_author_is_not_known_has_no_profile():
    assert built("p") == []


# Whatever comes

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MARKS = ("hashtags", "mentions", "tagged", "collaborators", "partner", "quotes", "pinned", "paid_partnership")
TEXTS = st.text(max_size=80) | st.sampled_from(["#ad @star", "Marque um amigo!", "<b>link?</b>", "part 2 @ana"])


@given(
    st.builds(
        Known,
        platform=st.sampled_from(["x", "youtube"]),
        url=TEXTS,
        author=TEXTS,
        title=TEXTS,
        text=TEXTS,
        profile=st.dictionaries(st.sampled_from(["name", "bio", "followers", "verified"]), ANYTHING),
        details=st.dictionaries(st.sampled_from(MARKS), ANYTHING),
        metrics=st.dictionaries(st.sampled_from(["views", "likes", "comments"]), st.integers()),
        seconds=st.none() | st.floats(),
        posted_at=st.none() | st.datetimes(),
        comments=st.lists(st.builds(Comment, text=TEXTS, likes=st.none() | st.integers()), max_size=5).map(tuple),
        spoken=st.lists(st.builds(Spoken, start=st.just(0.0), end=st.just(1.0), text=TEXTS), max_size=4).map(tuple),
    )
)
def test_whatever_was_collected_is_told_and_what_cites_it_cites_what_is_there(known):
    items = build(known, judge(known.facts, known.history, now=POSTED))
    ids = {item.id for item in items}
    cited = [id_ for each in look_for(known, items) for id_ in each.evidence]
    examples = [id_ for each in demand_of(items, known.comments) for id_ in each.examples]
    assert len(ids) == len(items)
    assert all(item.text and "\n" not in item.text for item in items)
    assert ids.issuperset(cited)
    assert {id_[0] for id_ in examples} <= {"k"}
