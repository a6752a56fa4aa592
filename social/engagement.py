"""How much people did with a post, as one number that can be compared within one author's posts."""

from social.facts import Metrics

# To write is more than to tap, to pass on or to keep more than to write: the weights order what people do by how rarely
# they do it. They are ours; what is compared is always weighted in the same way.
WEIGHTS = {"likes": 1.0, "comments": 2.0, "shares": 3.0, "saves": 3.0}


def engagement_score(metrics: Metrics, followers: int | None) -> float | None:
    """What people did, weighted, for each view; for each follower where views are not known; else not known."""
    known = {name: getattr(metrics, name) for name in WEIGHTS}
    audience = metrics.views or followers
    if not audience or all(value is None for value in known.values()):
        return None
    return round(sum(WEIGHTS[name] * (value or 0) for name, value in known.items()) / audience, 6)
