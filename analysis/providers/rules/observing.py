"""What is there, and who made it: the parts of an explanation that judge nothing."""

import math
from datetime import datetime

from analysis.answer import Claim, Observation
from analysis.comparing.baseline import count_of
from analysis.comparing.figures import amount, counted, span, times
from analysis.comparing.maturity import in_utc
from analysis.dossier import Baseline, Evidence
from analysis.evidence.measured import WEEKDAYS
from analysis.plain import make_line
from analysis.providers.rules.lexicon import NOUNS
from analysis.providers.rules.reading import Reading, listed, quote, quote_words, split

CALLED = {
    "short": "short video",
    "video": "video",
    "live": "live video",
    "image": "picture post",
    "carousel": "carousel",
    "text": "text post",
}
MOST_PICTURES = 5
COUNTS = ("views", "likes", "comments", "shares", "saves")


def describe_creator(post: Reading) -> list[Claim]:
    claims = [_introduce(post), _compare_with_followers(post), _place(post), _quote_profile(post)]
    return [claim for claim in claims if claim]


def observe(post: Reading) -> Observation:
    return Observation(
        hook=_hook(post),
        structure=_structure(post),
        delivery=_delivery(post),
        visuals=_visuals(post),
        call_to_action=_call_to_action(post),
        timing=_timing(post),
    )


def stand(post: Reading) -> str:
    """Where the post stands, in its most telling number."""
    verdict = post.dossier.verdict
    if verdict.multiple is not None and verdict.baseline.median is not None:
        return f"{times(verdict.multiple)} times the author's {describe_median(verdict.baseline)}"
    return reach(post)


def describe_median(base: Baseline) -> str:
    median = amount(base.median or 0)
    return f"median engagement of {median}" if base.metric == "engagement" else f"median of {median} {base.metric}"


def reach(post: Reading) -> str:
    counts = {name: count_of(post.dossier.known.metrics.get(name)) for name in COUNTS}
    name = next((name for name, count in counts.items() if count is not None), "")
    return f"{amount(counts[name] or 0)} {name}" if name else "counts that are not known"


def describe_length(post: Reading) -> str:
    """How long it is, as far as that is known."""
    seconds = post.dossier.known.seconds or 0
    parts = [f"{seconds:g} seconds" if math.isfinite(seconds) and seconds > 0 else ""]
    return listed([part for part in (*parts, counted(post.words, "written word")) if part])


def name_hooks(hooks: list[str]) -> str:
    return listed([NOUNS[hook][0] for hook in hooks])


def explain_hooks(hooks: list[str]) -> str:
    return listed([f"{NOUNS[hook][0]} ({NOUNS[hook][1]})" for hook in hooks])


def call_format(post: Reading) -> str:
    return CALLED.get(post.dossier.known.format, "post")


def _introduce(post: Reading) -> Claim:
    known = post.dossier.known
    name = make_line(str(known.profile.get("name") or known.author)) or "The author"
    followers = count_of(known.profile.get("followers"))
    size = "does not show how many follow" if followers is None else f"has {counted(followers, 'follower')}"
    text = (
        f"Rule-based analysis: words and numbers are counted, no language model was asked. {quote_words(name)} {size}"
    )
    base = post.dossier.verdict.baseline
    usual = f", and a {describe_median(base)} over {base.n} posts" if base.median else ""
    return post.claim(f"{text}{usual}.", post.profile, post.metric("median"))


def _compare_with_followers(post: Reading) -> Claim | None:
    known = post.dossier.known
    followers = count_of(known.profile.get("followers"))
    name = next((name for name in ("views", "likes") if count_of(known.metrics.get(name))), "")
    if not followers or not name:
        return None
    share = f"{100 * known.metrics[name] / followers:,.0f}% of its followers"
    return post.claim(
        f"Its {amount(known.metrics[name])} {name} are as many as {share}.", post.profile, post.metric(name)
    )


def _place(post: Reading) -> Claim | None:
    verdict = post.dossier.verdict
    if verdict.percentile is None or not verdict.baseline.n:
        return None
    text = f"Among {verdict.baseline.n} posts of the same author it stands at percentile {verdict.percentile:.0f}"
    return post.claim(f"{text}, with {reach(post)}.", post.metric("percentile"))


def _quote_profile(post: Reading) -> Claim | None:
    bio = make_line(str(post.dossier.known.profile.get("bio") or ""))
    if not post.profile or not bio or bio not in make_line(post.profile.text):
        return None
    return post.claim(f"The profile says what to expect: {quote_words(bio)}.", post.profile)


def _hook(post: Reading) -> Claim | None:
    if not post.opening:
        return None
    spoken = post.first_spoken if post.first_spoken != post.opening else None
    heard = f", and in the first seconds one hears {quote(spoken)}" if spoken else ""
    kinds = explain_hooks(post.hooks) or "none that the rules know; it only states"
    return post.claim(f"It begins with {post.first}{heard}. Kind of hook: {kinds}.", post.opening, spoken)


def _structure(post: Reading) -> Claim:
    known = post.dossier.known
    parts = [f"{counted(len(post.captions), 'caption line')} of {counted(post.words, 'word')}" if post.captions else ""]
    if post.spoken:
        parts.append(f"{counted(len(post.spoken), 'spoken passage')}, the last one {quote(post.spoken[-1])}")
    chapters = known.details.get("chapters")
    parts.append(counted(len(chapters), "chapter") if isinstance(chapters, (list, tuple)) and chapters else "")
    parts.append(counted(len(known.frames), "picture") if known.frames else "")
    built = listed([part for part in parts if part]) or "nothing that was collected"
    ends = f" The written part ends with {quote_words(split(post.last_line)[-1])}." if post.last_line else ""
    cited = [*post.captions[:1], post.last_line, *post.spoken[-1:], *post.frames[:1]]
    return post.claim(f"A {call_format(post)} made of {built}.{ends}", *cited)


def _delivery(post: Reading) -> Claim:
    if post.spoken:
        return _speech(post)
    sentences = [words for item in post.captions for words in split(item)]
    if not sentences:
        return post.claim(f"No words were found in this {call_format(post)}: it tells what it tells without them.")
    longest = max(sentences, key=lambda words: len(words.split()))
    average = post.words / len(sentences)
    text = f"In writing: {counted(len(sentences), 'sentence')} of {average:.1f} words on average"
    return post.claim(f"{text}; the longest is {quote_words(longest)}.", *_holding(post, longest))


def _holding(post: Reading, words: str) -> list[Evidence]:
    return [item for item in post.captions if words in make_line(item.text)][:1]


def _speech(post: Reading) -> Claim:
    words = sum(len(item.text.split()) for item in post.spoken)
    last = post.spoken[-1]
    seconds = (last.end or last.start or 0) - (post.spoken[0].start or 0)
    pace = f" in {seconds:.1f} seconds, {words / seconds:.1f} words a second" if seconds > 0 else ""
    text = f"Spoken: {counted(words, 'word')}{pace}, beginning with {quote(post.spoken[0])}."
    return post.claim(text, post.spoken[0], last)


def _visuals(post: Reading) -> Claim | None:
    if not post.frames:
        return None
    kept = f"{counted(len(post.frames), 'picture')} kept beside {post.first}, noted as {quote(post.frames[0])}"
    text = f"{kept}; the rules read no pictures, so what they show is not judged."
    return post.claim(text, *post.frames[:MOST_PICTURES], post.opening)


def _call_to_action(post: Reading) -> Claim | None:
    if post.asks:
        asks = listed([f"to {ask.kind} ({quote_words(ask.words)})" for ask in post.asks[:3]])
        return post.claim(f"It asks people {asks}.", *(ask.item for ask in post.asks[:3]))
    last = post.last_line
    if not last:
        return None
    return post.claim(f"It asks people for nothing; its last words are {quote_words(split(last)[-1])}.", last)


def _timing(post: Reading) -> Claim | None:
    known = post.dossier.known
    if not known.posted_at:
        return None
    at = in_utc(known.posted_at)
    text = f"Posted on {WEEKDAYS[at.weekday()]}, {at:%Y-%m-%d} at {at:%H:%M} UTC{_age(at, known.collected_at)}"
    return post.claim(f"{text}, with {reach(post)} since.", post.metric("hour"), post.metric("views", "likes"))


def _age(posted: datetime, looked: datetime | None) -> str:
    hours = (in_utc(looked) - posted).total_seconds() / 3600 if looked else 0
    return f", {span(hours)} before it was looked at" if hours > 0 else ""
