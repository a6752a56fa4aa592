"""Which comments are shown as evidence, where there are more than anybody reads."""

from collections.abc import Iterable, Sequence

from analysis.dossier import Comment
from analysis.evidence.words import fold

# Beyond this many a comment says no more, it is only longer.
MOST_NEW_WORDS = 12


def sample(comments: Sequence[Comment], *, most: int) -> list[Comment]:
    """Half of them the most liked, the others those that say the most that none before them has said."""
    ranked = distinct(sorted(filter(_is_of_readers, comments), key=lambda comment: -(comment.likes or 0)))
    chosen, rest = ranked[: most // 2], ranked[most // 2 :]
    heard = {word for comment in chosen for word in _words(comment)}
    waiting = {place: _words(comment) for place, comment in enumerate(rest)}
    while waiting and len(chosen) < most:
        place = max(waiting, key=lambda each: (min(len(waiting[each] - heard), MOST_NEW_WORDS), -each))
        heard |= waiting.pop(place)
        chosen.append(rest[place])
    return chosen


def distinct(comments: Iterable[Comment]) -> list[Comment]:
    """The first of each text: what is said again and again by machines is one voice."""
    first: dict[str, Comment] = {}
    for comment in comments:
        first.setdefault(fold(comment.text), comment)
    first.pop("", None)
    return list(first.values())


def _is_of_readers(comment: Comment) -> bool:
    """Of what the author says under their own post, only what is pinned: it belongs to the post."""
    return comment.pinned or not comment.by_post_author


def _words(comment: Comment) -> set[str]:
    return set(fold(comment.text).split())
