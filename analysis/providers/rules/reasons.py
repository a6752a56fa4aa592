"""Why it did as it did: what else may explain it first, and praise only where the numbers bear it."""

from collections.abc import Iterator

from analysis.answer import Claim
from analysis.comparing.figures import counted
from analysis.dossier import Confounder, Demand, Evidence
from analysis.plain import make_line
from analysis.providers.rules.observing import (
    call_format,
    describe_length,
    explain_hooks,
    name_hooks,
    reach,
    stand,
)
from analysis.providers.rules.reading import Reading, listed, quote, quote_words

MOST_REASONS = 8
MOST_TAKEAWAYS = 5

# How a sentence about the verdict begins, and what a thing that is seen in the post means under it.
LEADS = {
    "over": "It outran its author's usual posts",
    "typical": "It did about what its author's posts usually do, and did not outrun them",
    "under": "It did not outrun its author's usual posts, it stayed behind them",
    "too_early": "It is too early to say how it does, and no reason can be given for what is not yet known",
    "not_enough_history": "There is not enough history to say how it did, and no reason can be given for that",
}
MEANS = {
    "over": "A likely reason",
    "typical": "There, but no lever this time",
    "under": "There, and it did not carry the post",
    "too_early": "To be watched, for its effect cannot be told yet",
    "not_enough_history": "To be compared later, for its effect cannot be told from so few posts",
}
LACKS = {
    "over": "It came this far all the same",
    "typical": "What may have kept it at the usual",
    "under": "What held it back, as far as words show",
    "too_early": "Weak, though its effect cannot be told yet",
    "not_enough_history": "Weak, though its effect cannot be told from so few posts",
}
DO = {
    "part_two": "ask for more of it",
    "how_to": "ask how it is done",
    "where_to_get": "ask where to get it",
    "question": "ask something",
    "tag_friend": "call a friend",
}
DOES = {kind: text.replace("ask", "asks").replace("call", "calls") for kind, text in DO.items()}


def give_reasons(post: Reading) -> list[Claim]:
    found = [_verdict(post), *_confounders(post), _opening(post), *_demand(post), *_asks(post), _form(post)]
    return found[:MOST_REASONS]


def take_away(post: Reading) -> list[Claim]:
    """The verdict, what is to be weighed against it, and what of the post itself is worth remembering."""
    found = [_in_short(post), *_first_doubt(post), _opening_in_short(post), *_voice(post), _length_in_short(post)]
    return found[:MOST_TAKEAWAYS]


def put_in_a_formula(post: Reading) -> Claim:
    parts = [_opening_in_a_formula(post), f"a {call_format(post)} of {describe_length(post)}"]
    parts += [f"an ask to {ask.kind}" for ask in post.asks[:1]]
    parts += [_count_demand(post, each) for each in post.demand[:1]]
    formula, cited = " + ".join(parts), [post.opening, *(ask.item for ask in post.asks[:1]), _number(post)]
    cited += [item for each in post.demand[:1] for item in post.items(each.examples)[:2]]
    if post.label == "over":
        return post.claim(f"{formula} = {stand(post)}.", *cited)
    lacks = "too few posts to compare with" if post.label == "not_enough_history" else stand(post)
    lacks = f"still young, at {reach(post)}" if post.label == "too_early" else lacks
    return post.claim(f"No formula is shown: {formula} came to no more than this: {lacks}.", *cited)


def describe_demand(post: Reading, demand: Demand) -> str:
    examples = [quote(item) for item in post.items(demand.examples)[:2]]
    such = f", such as {listed(examples)}" if examples else ""
    return f"{_count_demand(post, demand)}{such}"


def _count_demand(post: Reading, demand: Demand) -> str:
    does = (DOES if demand.count == 1 else DO).get(demand.kind, f"speak of {demand.kind.replace('_', ' ')}")
    return f"{demand.count} of {counted(len(post.dossier.known.comments), 'comment')} seen {does}"


def _number(post: Reading) -> Evidence | None:
    return post.metric("multiple", "posts", "views", "likes")


def _verdict(post: Reading) -> Claim:
    basis = make_line(post.dossier.verdict.basis) or f"It has {reach(post)}."
    return post.claim(f"{LEADS[post.label]}. {basis}", _number(post), post.profile)


def _confounders(post: Reading) -> Iterator[Claim]:
    for each in post.present[:3]:
        yield _weigh(post, each)
    if post.doubtful:
        doubts = "; ".join(f"{_name(each)} ({make_line(each.note).rstrip('.')})" for each in post.doubtful)
        cited = [item for each in post.doubtful for item in post.items(each.evidence)]
        yield post.claim(f"Cannot be told of these {reach(post)}, and stays a doubt: {doubts}.", *cited, _number(post))


def _weigh(post: Reading, confounder: Confounder) -> Claim:
    shown = post.items(confounder.evidence)
    seen = f" Seen in {quote(shown[0])}." if shown else ""
    text = f"To be weighed before the content: {_name(confounder)}. {make_line(confounder.note)}{seen}"
    return post.claim(f"{text} It may account for some of the {reach(post)} by itself.", *shown, _number(post))


def _name(confounder: Confounder) -> str:
    return confounder.kind.replace("_", " ")


def _opening(post: Reading) -> Claim:
    if not post.opening:
        return post.claim(f"{LACKS[post.label]}: no words that could hold anybody were found beside {reach(post)}.")
    cited = (post.opening, post.first_spoken)
    if post.hooks:
        text = f"{MEANS[post.label]}: the opening {post.first} has {explain_hooks(post.hooks)}"
        return post.claim(f"{text}.", *cited)
    text = f"{LACKS[post.label]}: the opening {post.first} asks, promises and numbers nothing"
    return post.claim(f"{text}, and speaks to nobody.", *cited)


def _demand(post: Reading) -> Iterator[Claim]:
    for each in post.demand[:2]:
        yield post.claim(f"What readers want from it: {describe_demand(post, each)}.", *post.items(each.examples))
    if not post.demand and post.comments:
        said = (post.telling_comments or post.comments)[0]
        yield post.claim(f"Readers ask for nothing; the first of their comments is {quote(said)}.", said)


def _asks(post: Reading) -> Iterator[Claim]:
    for ask in post.asks[:1]:
        text = f"{MEANS[post.label]}: it asks people to {ask.kind}, in the words {quote_words(ask.words)}."
        yield post.claim(text, ask.item)
    if not post.asks and post.last_line:
        text = f"{LACKS[post.label]}: it gives nothing to do to whoever has read {quote(post.last_line)}."
        yield post.claim(text, post.last_line)


def _form(post: Reading) -> Claim:
    text = f"{MEANS[post.label]}: the form, a {call_format(post)} of {describe_length(post)}, for {reach(post)}"
    return post.claim(f"{text}.", *post.captions[:1], *post.spoken[:1], post.metric("views", "likes"))


def _in_short(post: Reading) -> Claim:
    return post.claim(f"{LEADS[post.label]}: {stand(post)}.", _number(post))


def _first_doubt(post: Reading) -> Iterator[Claim]:
    for each in post.present[:1]:
        cited = post.items(each.evidence)
        yield post.claim(f"Before the {reach(post)} are put down to the content: {_name(each)}.", *cited, _number(post))


def _opening_in_short(post: Reading) -> Claim:
    kinds = name_hooks(post.hooks) or "no hook that the rules know"
    return post.claim(f"The opening in short: {post.first}, {kinds}.", post.opening)


def _opening_in_a_formula(post: Reading) -> str:
    return f"{name_hooks(post.hooks) or 'a plain statement'} in {post.first}"


def _voice(post: Reading) -> Iterator[Claim]:
    """What readers say, in the words of one of them."""
    for each in post.demand[:1]:
        yield post.claim(f"Readers: {describe_demand(post, each)}.", *post.items(each.examples))
    if not post.demand and post.comments:
        said = (post.questions or post.telling_comments or post.comments)[0]
        yield post.claim(f"One of the readers: {quote(said)}.", said)


def _length_in_short(post: Reading) -> Claim:
    ask = f"asks people to {post.asks[0].kind}" if post.asks else "asks people for nothing"
    cited = [*(ask.item for ask in post.asks[:1]), post.last_line, post.metric("views", "likes")]
    return post.claim(f"A {call_format(post)} of {describe_length(post)} that {ask}, with {reach(post)}.", *cited)
