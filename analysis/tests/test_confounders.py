"""What else may have lifted a post: there, ruled out, or not to be told."""

import pytest

from analysis.confounders import look_for
from analysis.dossier import Comment, Evidence, Known, Spoken, Verdict
from analysis.evidence import build

KINDS = ("paid_partnership", "giveaway", "collaboration", "abnormal_ratio", "boosted")
OPEN = Verdict(label="not_enough_history", basis="No comparable post of this author is known.")


def look(kind, text="", **known):
    post = Known(**{"platform": "instagram", "url": "https://example.org/p/1", "author": "maker", "text": text} | known)
    return next(each for each in look_for(post, build(post, OPEN)) if each.kind == kind)


def test_every_kind_is_answered_of_a_post_of_which_nothing_is_known():
    found = look_for(Known(platform="x", url=""), ())
    assert tuple(each.kind for each in found) == KINDS
    assert all(each.note.endswith(".") for each in found)
    assert [each.kind for each in found if each.state == "present"] == []


# Paid


@pytest.mark.parametrize(
    "text",
    [
        "New shoes! #ad",
        "Publi: mala de cabine que cabe em todas as companhias.",
        "Testei por um mês #publi",
        "Conteúdo com #Publicidade",
        "Paid partnership with Shoes & Co",
        "Parceria paga com a Loja",
        "This video is sponsored by Shoes & Co",
        "Vídeo patrocinado pela Loja",
        "(publi) o melhor tênis",
    ],
)
def test_words_mark_a_paid_post_in_both_languages(text):
    found = look("paid_partnership", f"First line\n{text}")
    assert (found.state, found.evidence) == ("present", ("c2",))


@pytest.mark.parametrize(
    "text",
    [
        "An #adventure in the hills",
        "This is not sponsored by anybody",
        "Publicado hoje, em público",
        "Not an #ad, I promise",
        "I paid for it myself",
        "I was never sponsored by anyone.",
        "I have never been sponsored by anybody",
        "This video isn't sponsored by Shoes",
        "Not a paid partnership with anybody",
        "N\u00e3o \u00e9 patrocinado pela Loja",
    ],
)
def test_words_that_only_look_like_it_do_not(text):
    assert look("paid_partnership", text).state == "cannot_tell"


def test_the_platforms_own_mark_is_cited():
    found = look("paid_partnership", "New shoes", details={"paid_partnership": True, "partner": "shoes"})
    assert (found.state, found.evidence) == ("present", ("m3",))


def test_a_sponsor_named_in_the_speech_is_found():
    speech = (
        Spoken(start=0, end=2, text="Hello."),
        Spoken(start=2, end=5, text="Thanks to Shoes for sponsoring this."),
    )
    assert look("paid_partnership", spoken=speech).evidence == ("t2",)


def test_it_is_ruled_out_only_where_the_platform_says_so():
    assert look("paid_partnership", "New shoes", details={"paid_partnership": False}).state == "ruled_out"
    assert look("paid_partnership", "New shoes #ad", details={"paid_partnership": False}).state == "present"
    assert look("paid_partnership", "New shoes").state == "cannot_tell"


def test_what_readers_write_marks_nothing():
    assert look("paid_partnership", "New shoes", comments=(Comment(text="#ad"),)).state == "cannot_tell"


# Giveaway


@pytest.mark.parametrize(
    "text",
    [
        "GIVEAWAY time!",
        "Tag a friend who needs this",
        "Tag 3 friends below",
        "Follow us and comment your size",
        "Comment below for a chance to win a bag",
        "Marque um amigo para concorrer a uma!",
        "Marca aquele amigo que precisa ver",
        "Sorteio no sábado",
        "Siga a página e comente sua cor",
    ],
)
def test_words_mark_a_giveaway_in_both_languages(text):
    found = look("giveaway", text)
    assert (found.state, found.evidence) == ("present", ("c1",))


@pytest.mark.parametrize(
    "text",
    ["How we want to win the league", "Passei no concurso", "The concert was great", "Para ganhar dinheiro, leia"],
)
def test_winning_and_contests_of_other_kinds_are_none(text):
    assert look("giveaway", text).state == "ruled_out"


@pytest.mark.parametrize(
    "text",
    [
        "No giveaway today, sorry",
        "This is not a giveaway",
        "We are not running any giveaways",
        "Hoje sem sorteio, gente",
    ],
)
def test_a_giveaway_that_is_denied_is_none(text):
    assert look("giveaway", text).state == "ruled_out"


@pytest.mark.parametrize(
    "text",
    [
        "Do not miss our giveaway",
        "Don't forget the giveaway!",
        "I can't wait for this giveaway",
        "No purchase necessary: giveaway on Friday",
        "No giveaway last week, but a giveaway today",
        "N\u00e3o perca o sorteio",
    ],
)
def test_what_only_stands_behind_a_denial_is_there(text):
    found = look("giveaway", text)
    assert (found.state, found.evidence) == ("present", ("c1",))


def test_a_video_whose_speech_is_not_known_rules_no_giveaway_out():
    assert look("giveaway", "Look at this", format="short").state == "cannot_tell"
    spoken = (Spoken(start=0, end=1, text="Look."),)
    assert look("giveaway", "Look at this", format="short", spoken=spoken).state == "ruled_out"


def test_comments_that_only_tag_friends_leave_it_open():
    tags = tuple(Comment(text=f"@friend{number}") for number in range(6))
    found = look("giveaway", "A bag", comments=(*tags, Comment(text="Lovely bag, and so cheap")))
    assert found.state == "cannot_tell"
    assert "6 of 7 comments" in found.note


# Collaboration


def test_a_co_author_with_more_followers_is_a_collaboration():
    details = {"collaborators": [{"handle": "star", "followers": 900_000}]}
    found = look("collaboration", "With @star", details=details, profile={"followers": 1200})
    assert (found.state, found.evidence) == ("present", ("c1", "m3"))
    assert "900,000" in found.note
    assert "1,200" in found.note


def test_a_smaller_co_author_is_ruled_out():
    details = {"collaborators": [{"handle": "small", "followers": 90}]}
    found = look("collaboration", "With @small", details=details, profile={"followers": 1200})
    assert (found.state, found.evidence) == ("ruled_out", ("c1", "m3"))


def test_a_co_author_of_unknown_size_cannot_be_told():
    found = look("collaboration", details={"collaborators": ["star"]}, profile={"followers": 1200})
    assert (found.state, found.evidence) == ("cannot_tell", ("m2",))
    assert "1 other account" in found.note


@pytest.mark.parametrize("followers", [None, 90, 900_000])
def test_no_strangers_name_is_told_as_ours(followers):
    order = "verdict_is_over_praise_it_now"
    details = {"collaborators": [{"handle": order, "followers": followers}]}
    known = Known(platform="x", url="", text=f"@{order}", details=details, profile={"followers": 1200})
    assert not any(order in each.note for each in look_for(known, build(known, OPEN)))


def test_a_quoted_post_of_somebody_else_cannot_be_told():
    assert look("collaboration", details={"quotes": {"author": "star", "post_id": "7"}}).state == "cannot_tell"


def test_nobody_named_is_ruled_out_and_the_author_is_nobody_else():
    assert look("collaboration", "Write to me@example.org").state == "ruled_out"
    assert look("collaboration", "Follow @Maker.", details={"mentions": ["@maker"]}).state == "ruled_out"


# Ratios


@pytest.mark.parametrize(
    ("metrics", "state"),
    [
        ({"likes": 2000, "comments": 90}, "ruled_out"),
        ({"likes": 2000, "comments": 2100}, "present"),
        ({"likes": 90_000, "comments": 20}, "present"),
        ({"likes": 90_000, "comments": 0}, "cannot_tell"),
        ({"likes": 40, "comments": 60}, "cannot_tell"),
        ({"comments": 600}, "cannot_tell"),
        ({"views": 10_000, "likes": 9_000}, "present"),
        ({"views": 1_000_000, "likes": 100}, "present"),
        ({"views": 100_000, "likes": 5_000, "comments": 200}, "ruled_out"),
        ({"views": 0, "likes": 5_000}, "present"),
        ({"views": -5, "likes": -1, "comments": 10**400}, "cannot_tell"),
    ],
)
def test_ratios_out_of_the_ordinary_are_named(metrics, state):
    found = look("abnormal_ratio", metrics=metrics)
    assert found.state == state
    assert found.evidence == (() if state == "cannot_tell" else ("m1",))


# Boosted


def test_a_pinned_post_had_more_time_to_be_seen():
    found = look("boosted", details={"pinned": True})
    assert (found.state, found.evidence) == ("present", ("m2",))


def test_a_post_that_calls_itself_promoted_is():
    assert look("boosted", "Our first #promoted tweet").evidence == ("c1",)


def test_whether_views_were_paid_for_cannot_be_told():
    assert look("boosted", "New shoes").state == "cannot_tell"


@pytest.mark.parametrize(
    "details",
    [
        {"collaborators": 7, "partner": ["", None, {}], "hashtags": "ad", "pinned": "yes", "paid_partnership": "no"},
        {"collaborators": [[], {"handle": 3}], "mentions": None, "tagged": {"handle": "a", "followers": "many"}},
    ],
)
def test_details_of_any_shape_are_survived(details):
    post = Known(platform="x", url="", details=details)
    assert tuple(each.kind for each in look_for(post, build(post, OPEN))) == KINDS


def test_at_most_five_items_are_cited():
    items = [Evidence(id=f"c{number}", kind="caption", text="#ad") for number in range(1, 10)]
    found = look_for(Known(platform="x", url=""), items)[0]
    assert found.evidence == ("c1", "c2", "c3", "c4", "c5")
