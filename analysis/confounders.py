"""What else may have lifted a post, looked for by rules before anything is praised.

Each kind is always answered: it is there, it is ruled out, or what is known cannot tell.
"""

import re
from collections.abc import Iterator, Sequence

from analysis.comparing.baseline import count_of
from analysis.comparing.figures import amount, counted, times
from analysis.demand import HANDLE, count_tags
from analysis.dossier import Confounder, Evidence, Known
from analysis.evidence import marks
from analysis.evidence.words import any_of, fold

MOST_EVIDENCE = 5
# What the author wrote or said, and what the platform says of the post; never what readers say.
TOLD = {"caption", "transcript", "metric"}

# Right before it, and nothing between that matters: "no giveaway"; "do not miss our giveaway" denies none.
DENIED = re.compile(
    r"(?:\b(?:no|not|never|nobody|none|without|(?:is|was|are|were|ai)n't|nao|nunca|nem|sem|nenhuma?)\b)"
    r"(?: (?:an?|any|another|of|our|is|are|be|been|being|was|were|doing|running|having|hosting|really|even|ever|"
    r"actually|this|that|paid|e|eh|foi|era|esta|estou|uma?|este|esse|isso|mais|fazendo|de|do))* ?[(\[]?$"
)

PAID = any_of(
    r"#(?:ads?|advert|advertise?ment|advertising|sponsored(?:post|by)?|spon|paidpartnership)\b",
    r"#(?:publi|publicidade|publipost|publieditorial|publipaga|parceriapaga|patrocinado|patrocinio|anuncio)\b",
    r"\bpaid (?:partnership|promotion|collaboration)\b|\b(?:parceria|publicidade) paga\b",
    r"\b(?:sponsored|brought to you) by\b|\btoday'?s sponsor\b|\b(?:for|from) sponsoring\b",
    r"\b(?:video|post|episode|content) is sponsored\b|\bin (?:paid )?partnership with\b",
    r"\bpatrocinad[oa] p(?:or|el[oa])\b|\bpor patrocinar\b|\bconteudo patrocinado\b",
    r"^publi(?:cidade|post|editorial)?\b|[(\[](?:publi|publicidade|ad|anuncio)[)\]]",
)
GIVEAWAY = any_of(
    r"#?\b(?:giveaway|sweepstakes?|raffle|sorteio|sorteios)\b|\bsorte(?:ar|ando|amos|aremos)\b|\bvou sortear\b",
    r"\b(?:enter|tag|comment|for a chance|your chance)\b[^.!?]{0,60}\bto win\b",
    r"\b(?:follow|like)(?: \w+){0,3} and (?:comment|tag|share)\b|\b(?:siga|segue|curta|curte)\b[^.!?]{0,40}\bcoment\w+",
    r"\b(?:para|pra|e) concorrer\b|\bconcorra (?:a|ao|aos|as)\b|\bpara participar d[oa] (?:sorteio|promocao)\b",
    r"\btag (?:a|an|your|one|two|three|some|\d+) (?:\w+ )?(?:friends?|people|persons?|someone|mates?|besties?)\b",
    r"\btag (?:someone|somebody|a person)\b|\bmention (?:a|your|\d+) friends?\b",
    r"\bmar(?:que|ca|quem|car) (?:um|uma|o|a|os|as|seu|sua|seus|suas|dois|duas|tres|aquel[ea]|\d+)"
    r" (?:\w+ )?(?:amig|pesso|alguem|namorad|miga|crush)\w*|\bmar(?:que|ca) (?:alguem|quem)\b",
)
BOOSTED = any_of(
    r"#(?:promoted|promotedpost|boosted|impulsionado)\b|\b(?:boosted|promoted) (?:post|video|reel|tweet)\b",
    r"\b(?:post|publicacao|video) (?:impulsionad|promovid)[oa]\b|\bwe (?:boosted|promoted) this\b",
)
PINNED = any_of(r"\bpinned to the top of its author's profile\b")

# Between giveaways and posts that nobody answers, for each like. Ordinary posts have between 1 and 20 comments for each
# 100 likes; what lies outside by more than a factor of five asks for another explanation than that people liked it.
FEWEST_COMMENTS, MOST_COMMENTS = 0.002, 1.0
# For each view. One viewer in two does not like anything; of ten thousand, five do like whatever there is.
FEWEST_LIKES, MOST_LIKES = 0.0005, 0.5
# Below these a ratio is a matter of a few people.
LEAST_LIKES, LEAST_VIEWS = 100, 1_000
# Comments for each like are only too few where the likes alone would let one expect five of them.
EXPECTED_COMMENTS = 5
# So many of the comments that are seen, and at least so many, do nothing but call friends.
TAGGING_SHARE, LEAST_TAGGING = 0.4, 4


def look_for(known: Known, evidence: Sequence[Evidence]) -> tuple[Confounder, ...]:
    return (
        _paid_partnership(known, evidence),
        _giveaway(known, evidence),
        _collaboration(known, evidence),
        _abnormal_ratio(known, evidence),
        _boosted(known, evidence),
    )


def _paid_partnership(known: Known, evidence: Sequence[Evidence]) -> Confounder:
    kind, said, told = "paid_partnership", marks.paid_partnership(known.details), _telling(evidence, PAID)
    if said:
        return _present(kind, "The platform marks it as a paid partnership.", told)
    if told:
        return _present(kind, "Its words mark it as paid for, or name a sponsor.", told)
    if said is False:
        return _ruled_out(kind, "The platform says that it is none, and neither text nor speech say otherwise.")
    return _cannot_tell(kind, "Nothing in it says so, but the platform does not tell whether it is one.")


def _giveaway(known: Known, evidence: Sequence[Evidence]) -> Confounder:
    kind, told = "giveaway", _telling(evidence, GIVEAWAY)
    if told:
        return _present(kind, "It offers something to win or asks people to tag others.", told)
    tagging, seen = count_tags(known.comments)
    if tagging >= max(LEAST_TAGGING, TAGGING_SHARE * seen):
        note = f"Nothing in it asks for it, but {tagging} of {counted(seen, 'comment')} do nothing but tag friends."
        return _cannot_tell(kind, note)
    silent = known.format in {"video", "short", "live"} and not known.spoken
    if silent or not any(item.kind in {"caption", "transcript"} for item in evidence):
        return _cannot_tell(kind, "What is written does not say so, and what is said or shown in it is not known.")
    return _ruled_out(kind, "Neither its text nor its speech offers anything to win or asks people to tag others.")


def _collaboration(known: Known, evidence: Sequence[Evidence]) -> Confounder:
    kind, own = "collaboration", count_of(known.profile.get("followers"))
    others = _others(known, evidence)
    told = [item.id for item in evidence if item.kind in TOLD and _names(item, others)]
    bigger = {name: size for name, size in others.items() if size is not None and own is not None and size > own}
    if bigger:
        size = max(bigger.values())
        return _present(kind, f"Somebody takes part whom {amount(size)} follow, more than the author's {own:,}.", told)
    if not others:
        return _ruled_out(kind, "It names no co-author, mentions nobody and quotes nobody.")
    # Not whom: a name is a stranger's words, and what is said here is told to models as ours. The evidence names them.
    named = f"It names {counted(len(others), 'other account')}"
    if own is not None and None not in others.values():
        return _ruled_out(kind, f"{named}, of which none has more followers than the author.", told)
    return _cannot_tell(kind, f"{named}, but how many follow there, or the author, is not known.", told)


def _abnormal_ratio(known: Known, evidence: Sequence[Evidence]) -> Confounder:
    kind = "abnormal_ratio"
    views, likes, comments = (count_of(known.metrics.get(name)) for name in ("views", "likes", "comments"))
    found = [*_comments_for_likes(likes, comments), *_likes_for_views(likes, views)]
    odd = [note for note, is_odd in found if is_odd]
    told = [item.id for item in evidence if item.kind == "metric" and {"likes", "comments"} & set(item.numbers)]
    if odd:
        return _present(kind, f"It has {odd[0]}, which is out of the ordinary.", told)
    if found:
        return _ruled_out(kind, f"It has {' and '.join(note for note, _ in found)}, which is ordinary.", told)
    return _cannot_tell(kind, "Its likes and comments are too few, or not known, to compare them.")


def _comments_for_likes(likes: int | None, comments: int | None) -> Iterator[tuple[str, bool]]:
    """Without any comment there is nothing to say: they may be closed."""
    if likes is None or not comments or max(likes, comments) < LEAST_LIKES:
        return
    few = likes * FEWEST_COMMENTS >= EXPECTED_COMMENTS and comments < likes * FEWEST_COMMENTS
    note = f"{counted(comments, 'comment')} to {counted(likes, 'like')}"
    yield note, few or comments > likes * MOST_COMMENTS


def _likes_for_views(likes: int | None, views: int | None) -> Iterator[tuple[str, bool]]:
    """Hidden likes are told as none, so that none say nothing."""
    if not likes or views is None or max(likes, views) < LEAST_VIEWS:
        return
    few = likes < views * FEWEST_LIKES
    rate = f"{times(100 * likes / views)} likes for every 100 views" if views else "likes without any view"
    yield rate, few or likes > views * MOST_LIKES


def _boosted(known: Known, evidence: Sequence[Evidence]) -> Confounder:
    kind, told = "boosted", _telling(evidence, BOOSTED)
    if told:
        return _present(kind, "It says itself that it was promoted.", told)
    if marks.is_pinned(known.details):
        note = "It is pinned to the top of the author's profile, where it is seen for longer."
        return _present(kind, note, _telling(evidence, PINNED))
    return _cannot_tell(kind, "Nothing hints at it, but platforms do not tell whether views were paid for.")


def _others(known: Known, evidence: Sequence[Evidence]) -> dict[str, int | None]:
    """Who else is named, and how many follow them where that is known."""
    others: dict[str, int | None] = {}
    for item in evidence:
        if item.kind == "caption":
            others |= {found[0].strip("@.").casefold(): None for found in HANDLE.finditer(item.text)}
    for name in ("mentions", "tagged", "quotes", "repost_of", "partner", "collaborators"):
        others |= {handle.casefold(): size for handle, size in marks.people(known.details, name).items()}
    return {name: size for name, size in others.items() if name != known.author.strip("@").casefold()}


def _names(item: Evidence, others: dict[str, int | None]) -> bool:
    return any(found[0].strip("@.").casefold() in others for found in HANDLE.finditer(item.text))


def _telling(evidence: Sequence[Evidence], pattern: re.Pattern[str]) -> list[str]:
    return [item.id for item in evidence if item.kind in TOLD and _says(fold(item.text), pattern)]


def _says(text: str, pattern: re.Pattern[str]) -> bool:
    return any(not DENIED.search(text[: found.start()]) for found in pattern.finditer(text))


def _present(kind: str, note: str, evidence: Sequence[str]) -> Confounder:
    return Confounder(kind=kind, state="present", note=note, evidence=tuple(evidence[:MOST_EVIDENCE]))


def _ruled_out(kind: str, note: str, evidence: Sequence[str] = ()) -> Confounder:
    """With what decided it; that something stands nowhere, nothing shows."""
    return Confounder(kind=kind, state="ruled_out", note=note, evidence=tuple(evidence[:MOST_EVIDENCE]))


def _cannot_tell(kind: str, note: str, evidence: Sequence[str] = ()) -> Confounder:
    return Confounder(kind=kind, state="cannot_tell", note=note, evidence=tuple(evidence[:MOST_EVIDENCE]))
