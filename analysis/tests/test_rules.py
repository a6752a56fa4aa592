"""The analyst by rules: fills every field from this post's evidence, says what it is, and praises only what outran."""

import itertools
import re

import pytest

from analysis.answer import Claim, Explanation, Observation
from analysis.dossier import Comment, Confounder, Demand, Dossier, Known, PostFacts, Spoken, Verdict
from analysis.grounding import ground, read
from analysis.prompting import prompt_for
from analysis.providers.contract import Tokens
from analysis.providers.rules import Rules, explain
from analysis.tests.dossiers import SAMPLES, conclude, made, sample

IDS = [address.post_id for address in SAMPLES]
PRAISE = re.compile(
    r"likely reason|do again|\bviral\b|success|\bhit\b|great|excellent|strong|brilliant|worked", re.IGNORECASE
)
by_sample = pytest.mark.parametrize("post_id", IDS)


def claims_of(explanation: Explanation) -> list[Claim]:
    found: list[Claim] = []
    for _, part in explanation:
        parts = [each for _, each in part] if isinstance(part, Observation) else part
        found += [each for each in (parts if isinstance(parts, list) else [parts]) if each]
    return found


def texts_of(dossier: Dossier) -> list[str]:
    return [claim.text for claim in claims_of(explain(dossier))]


@by_sample
def test_it_answers_in_the_shape_that_models_answer_in(post_id):
    completion = Rules().complete(prompt_for(sample(post_id)), [], Explanation)
    answer = read(completion.text)
    assert (completion.provider, completion.model, completion.finish) == ("rules", "rules-1", "stop")
    assert (completion.tokens, completion.cost_micros) == (Tokens(), 0)
    assert len(answer.suggestions_for_future_posts) == 4
    assert 3 <= len(answer.quick_takeaways) <= 5
    assert answer.content_observation.hook
    assert answer.content_observation.call_to_action


@by_sample
def test_every_claim_of_every_sample_is_borne_by_its_evidence(post_id):
    grounded = ground(explain(sample(post_id)), sample(post_id))
    assert grounded.claims >= 25
    assert (grounded.supported, grounded.ratio) == (grounded.claims, 1.0)


@by_sample
def test_every_claim_has_a_quotation_or_a_number_of_this_post(post_id):
    for claim in claims_of(explain(sample(post_id))):
        assert claim.evidence
        assert re.search(r"\u201c.+\u201d|\d", claim.text), claim.text


@by_sample
def test_no_field_says_the_same_twice_and_no_part_is_empty(post_id):
    for _, part in explain(sample(post_id)):
        if isinstance(part, list):
            assert len({claim.text for claim in part}) == len(part) > 0


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(IDS, 2)])
def test_two_posts_get_two_answers(one, other):
    """Two posts of one author share who that is, and nothing else."""
    first, second = explain(sample(one)), explain(sample(other))
    shared = {claim.text for claim in claims_of(first)} & {claim.text for claim in claims_of(second)}
    of_the_author = {claim.text for claim in first.creator_context}
    assert shared <= of_the_author
    assert len(shared) <= 2
    assert not shared or sample(one).known.author == sample(other).known.author


def test_the_same_post_gets_the_same_answer():
    assert texts_of(made()) == texts_of(made())


@by_sample
def test_it_says_that_it_is_rule_based(post_id):
    assert "Rule-based" in explain(sample(post_id)).creator_context[0].text


def test_the_samples_are_of_every_verdict_that_must_not_be_praised():
    assert {sample(post_id).verdict.label for post_id in IDS} >= {"over", "typical", "under", "too_early"}
    assert sample("14").verdict.label == "not_enough_history"


@by_sample
def test_only_what_outran_is_praised(post_id):
    dossier = sample(post_id)
    praised = [text for text in texts_of(dossier) if PRAISE.search(re.sub("\u201c.*?\u201d", "", text))]
    assert bool(praised) == (dossier.verdict.label == "over")


@pytest.mark.parametrize(
    ("post_id", "reason"),
    [
        ("PWhyralDm01", "It outran its author's usual posts."),
        ("12", "did not outrun them"),
        ("13", "It did not outrun its author's usual posts, it stayed behind them."),
        ("14", "There is not enough history to say how it did"),
        ("WhyralDmo0M", "It is too early to say how it does"),
    ],
)
def test_the_first_reason_follows_the_verdict_with_its_numbers(post_id, reason):
    first = explain(sample(post_id)).virality_reasoning[0]
    assert reason in first.text
    assert sample(post_id).verdict.basis in first.text


def with_confounders(dossier: Dossier, *found: Confounder) -> Dossier:
    return Dossier(known=dossier.known, verdict=dossier.verdict, evidence=dossier.evidence, confounders=found)


def test_what_is_missing_is_not_told_as_if_it_were_there():
    reasons = [claim.text for claim in explain(sample("13")).virality_reasoning]
    assert (
        "What held it back, as far as words show: it gives nothing to do to whoever has read \u201cCoffee.\u201d."
        in reasons
    )


def test_confounders_come_before_praise():
    paid = Confounder(kind="paid_partnership", state="present", note="The caption says so.", evidence=("c1",))
    boosted = Confounder(kind="boosted", state="cannot_tell", note="Nobody says.")
    giveaway = Confounder(kind="giveaway", state="ruled_out", note="Nothing is given away.")
    dossier = with_confounders(sample("PWhyralDm01"), paid, boosted, giveaway)
    reasons = [claim.text for claim in explain(dossier).virality_reasoning]
    praise = next(place for place, text in enumerate(reasons) if "likely reason" in text)
    assert [place for place, text in enumerate(reasons) if "paid partnership" in text] == [1]
    assert [place for place, text in enumerate(reasons) if "boosted" in text] == [2]
    assert praise == 3
    assert not any("giveaway" in text for text in reasons)
    assert ground(explain(dossier), dossier).ratio == 1.0


@pytest.mark.parametrize(
    ("text", "hook"),
    [
        ("Why does bread rise?", "a question"),
        ("Seven knives, one steel", "a number"),
        ("Never wash a mushroom", "a negation"),
        ("Here is the way to fold it", "a promise"),
        ("My grandmother had a restaurant", "a story"),
        ("Your knife is blunt", "a direct address"),
        ("Por que o bolo murcha", "a question"),
        ("Nunca lave cogumelos", "a negation"),
        ("Voc\u00ea corta errado", "a direct address"),
        ("Basil, repotted", "none that the rules know"),
    ],
)
def test_it_knows_the_kinds_of_hook(text, hook):
    observed = explain(made(text=text, spoken=())).content_observation.hook
    assert observed is not None
    assert hook in observed.text
    assert text in observed.text


def test_the_first_three_seconds_count_as_the_beginning_and_the_fourth_does_not():
    late = made(text="Garlic.", spoken=(Spoken(start=4, end=6, text="Why do you peel it?"),))
    early = made(text="Garlic.", spoken=(Spoken(start=0.5, end=3, text="Why do you peel it?"),))
    assert "Why do you peel it?" in explain(early).content_observation.hook.text
    assert "Why do you peel it?" not in explain(late).content_observation.hook.text


def test_what_readers_ask_becomes_what_to_post_next():
    suggested = [claim.text for claim in explain(made()).suggestions_for_future_posts]
    assert "second part" in suggested[0]
    assert "Part 2 please" in suggested[0]
    assert any("How do you store it?" in text for text in suggested)


def test_a_picture_has_no_first_seconds_and_other_forms_have_their_articles():
    told = " ".join(texts_of(sample("PWhyralDm04")))
    assert "in the first line." in told
    assert "in the first seconds" not in told
    assert "as a short video and a carousel too" in told


EMPTY = Dossier(
    known=Known(platform="x", url="https://x.com/a/status/1"),
    verdict=Verdict(label="not_enough_history", basis=""),
)
BARE = [
    conclude(Known(platform="x", url="https://x.com/a/status/1")),
    made(text="", title="", spoken=(), comments=(), frames=(), profile={}, metrics={}),
    made(text="\u200b\u202e", comments=(Comment(text=""), Comment(text="\u200d"))),
    made(profile={"name": None, "followers": "many", "bio": 7}, metrics={"views": -1, "likes": 10**30}),
    made(seconds=float("nan"), posted_at=None, collected_at=None, comments_total=None),
    made(metrics={"views": 0}, history=tuple(PostFacts(views=0, format="short") for _ in range(5))),
    made(history=()),
    made(format="hologram", platform="elsewhere", comments=(Comment(text="?"), Comment(text="x"))),
]


@pytest.mark.parametrize("dossier", BARE)
def test_a_post_of_which_little_is_known_still_fills_every_field(dossier):
    answer = read(Rules().complete(prompt_for(dossier), [], Explanation).text)
    assert all(claim.evidence for claim in claims_of(answer))
    assert len({claim.text for claim in answer.suggestions_for_future_posts}) == 4


def test_without_any_evidence_nothing_is_called_supported():
    grounded = ground(explain(EMPTY), EMPTY)
    assert grounded.claims > 10
    assert grounded.supported == 0


def test_a_demand_of_a_kind_that_nobody_foresaw_is_told_too():
    known = made()
    demand = (Demand(kind="recipe_card", count=2, examples=("k1",)),)
    dossier = Dossier(known=known.known, verdict=known.verdict, evidence=known.evidence, demand=demand)
    assert any("2 of 3 comments seen speak of recipe card" in text for text in texts_of(dossier))


def test_quotation_marks_inside_a_quotation_do_not_end_it():
    dossier = made(text='He said "never again" and \u201cmeant\u201d \u00abit\u00bb today')
    assert ground(explain(dossier), dossier).ratio == 1.0


# What it answers in a chat


def test_it_is_always_there_and_looks_at_nothing():
    assert (Rules().name, Rules().sees, Rules().is_configured()) == ("rules", False, True)
