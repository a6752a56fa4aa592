"""What to do again, what to do better, and what to post next: each from something in this very post."""

from collections.abc import Iterator
from itertools import islice

from analysis.answer import Claim
from analysis.comparing.figures import counted
from analysis.comparing.maturity import in_utc
from analysis.dossier import Evidence
from analysis.evidence.measured import WEEKDAYS
from analysis.providers.rules.lexicon import HOOKS, NOUNS
from analysis.providers.rules.observing import CALLED, call_format, describe_length, name_hooks, reach, stand
from analysis.providers.rules.reading import Reading, listed, quote, quote_words
from analysis.providers.rules.reasons import describe_demand

MOST_ELEMENTS = 6
MOST_IMPROVEMENTS = 6
SUGGESTIONS = 4
LONGEST_OPENING = 18
SHORTEST_TEXT = 6
AGAIN = {
    "over": "Do again",
    "typical": "Keep as a base, not as a lever",
    "under": "Worth a second try only with another subject",
    "too_early": "Wait for the numbers before repeating",
    "not_enough_history": "Repeat to have something to compare with",
}
SEEN_IN_TIME = {"short", "video", "live"}
# Another form to tell the same in, by platform.
FORMS = {
    "instagram": ("short", "carousel", "image"),
    "x": ("text", "image", "video"),
    "youtube": ("short", "video"),
}
FORMS_ANYWHERE = ("short", "image", "text")


def find_replicable(post: Reading) -> list[Claim]:
    return list(islice(_elements(post), MOST_ELEMENTS))


def improve(post: Reading) -> list[Claim]:
    return list(islice(_improvements(post), MOST_IMPROVEMENTS))


def suggest(post: Reading) -> list[Claim]:
    """Exactly four: first what readers ask for, then tests of what this post leaves open."""
    return list(islice(_suggestions(post), SUGGESTIONS))


def _elements(post: Reading) -> Iterator[Claim]:
    again = AGAIN[post.label]
    if post.opening:
        how = name_hooks(post.hooks) or "a plain statement"
        text = f"{again}: open with {how}, as {post.first} does."
        yield post.claim(text, post.opening, post.first_spoken)
    for ask in post.asks[:2]:
        yield post.claim(f"{again}: ask people to {ask.kind}, as in {quote_words(ask.words)}.", ask.item)
    for each in post.demand[:1]:
        text = f"{again}: leave something to ask for. {describe_demand(post, each)}."
        yield post.claim(text, *post.items(each.examples))
    text = f"{again}: a {call_format(post)} of {describe_length(post)}, which has {reach(post)}."
    yield post.claim(text, *post.captions[:1], *post.spoken[:1], post.metric("views", "likes"))


def _improvements(post: Reading) -> Iterator[Claim]:
    yield from _better_opening(post)
    yield from _better_words(post)
    for each in post.present[:1]:
        shown, name = post.items(each.evidence), each.kind.replace("_", " ")
        yield post.claim(f"Post once without {name}, so that {stand(post)} can be put down to the content.", *shown)
    for item in post.questions[:2]:
        yield post.claim(f"Answer {quote(item)} in the post itself, or in a comment that is pinned.", item)
    yield from _answer_readers(post, next(iter(post.comments), None))


def _better_opening(post: Reading) -> Iterator[Claim]:
    if not post.opening:
        yield post.claim(f"Put words into the {call_format(post)}: none were found, beside {reach(post)}.")
        return
    words = len(post.first_words.split())
    if words > LONGEST_OPENING:
        text = f"Shorten the opening: {post.first} takes {words} words before it comes to its point."
        yield post.claim(text, post.opening)
    if missing := _missing_hook(post):
        noun, what = NOUNS[missing]
        yield post.claim(f"Give the opening {post.first} what it does not have: {noun}, so that {what}.", post.opening)


def _missing_hook(post: Reading) -> str:
    """What this opening lacks; which one comes first goes by its words, so that not everybody is told the same."""
    missing = [hook for hook in HOOKS if hook not in post.hooks]
    return missing[post.words % len(missing)] if missing else ""


def _better_words(post: Reading) -> Iterator[Claim]:
    last = post.last_line
    if not last:
        return
    if post.words < SHORTEST_TEXT:
        text = (
            f"Say more than {quote(last)}: {counted(post.words, 'word')} leave nothing to find, to save or to answer."
        )
        yield post.claim(text, last)
    if not post.asks:
        yield post.claim(f"End with something to do: after {quote(last)} people are asked for nothing.", last)


def _answer_readers(post: Reading, first: Evidence | None) -> Iterator[Claim]:
    seen = post.dossier.known.comments
    if first and seen and not any(comment.by_post_author for comment in seen):
        text = f"Answer in the comments, {quote(first)} first: of the {len(seen)} seen none is by the author."
        yield post.claim(text, first)
    elif not first:
        text = f"Ask for an answer: no comment was seen below this {call_format(post)}, which has {reach(post)}."
        yield post.claim(text, post.opening, post.metric("comments"))


def _suggestions(post: Reading) -> Iterator[Claim]:
    asked = [each for each in post.demand if each.kind == "part_two"][:1]
    examples = [item for each in asked for item in post.items(each.examples)]
    if asked:
        text = f"Post the second part that readers want: {describe_demand(post, asked[0])}."
        yield post.claim(f"{text} Begin where {post.first} ended.", *examples, post.opening)
    for item in [each for each in post.questions if each not in examples][:2]:
        text = f"Make a {call_format(post)} that answers {quote(item)}, with that question as its first line."
        yield post.claim(text, item)
    for item in [each for each in post.wishes if each not in examples][:1]:
        where = "seconds" if post.dossier.known.format in SEEN_IN_TIME else "line"
        yield post.claim(f"Take up the wish {quote(item)}, and name whoever wished it in the first {where}.", item)
    yield from _tests(post)


def _tests(post: Reading) -> Iterator[Claim]:
    """What this post leaves open; four of them, so that there are always enough."""
    known, opening = post.dossier.known, post.first
    missing = NOUNS[_missing_hook(post) or "question"][0]
    yield post.claim(f"Tell {opening} again with {missing} in the first line, and compare.", post.opening)
    forms = [f"a {CALLED[form]}" for form in FORMS.get(known.platform, FORMS_ANYWHERE) if form != known.format]
    text = f"Tell {opening} as {listed(forms)} too, against the {call_format(post)} with {reach(post)}."
    yield post.claim(text, post.opening, post.metric("views", "likes"))
    when = (
        f" on another day than {WEEKDAYS[in_utc(known.posted_at).weekday()]}"
        if known.posted_at
        else " at an hour that you write down"
    )
    text = f"Post the next {call_format(post)}{when}, to see whether the hour had a part in {reach(post)}."
    yield post.claim(text, post.metric("views", "likes"))
    size = "half" if post.words > LONGEST_OPENING else "twice"
    text = f"Tell the same in {size} the length: {describe_length(post)} now, for {reach(post)}."
    yield post.claim(text, *post.captions[:1], post.metric("views", "likes"))
