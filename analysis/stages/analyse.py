"""The numbers decide, an analyst explains, and every claim is held against the evidence."""

from dataclasses import asdict
from typing import Any, ClassVar

from django.conf import settings
from django.utils import timezone

from analysis import confounders, demand, evidence, known
from analysis.comparing.baseline import Thresholds
from analysis.dossier import Dossier, Known, Verdict
from analysis.engine import Work
from analysis.explaining import Explained, explain, longest
from analysis.stages.contract import Later, Product
from analysis.verdict import judge

OWN_SECONDS = 60.0


class Analyse:
    """While there is time the first analyst of the order is waited for; on the last try whoever can answers."""

    name: ClassVar[str] = "analyse"
    queue: ClassVar[str] = "io"
    waits: ClassVar[float] = 900.0
    most_tries: ClassVar[int] = 4
    begins: ClassVar[tuple[str, str]] = ("analysing", "The post is being explained.")
    ends: ClassVar[tuple[str, str] | None] = None
    progress: ClassVar[int] = 100

    @property
    def patience(self) -> float:
        """All that may be asked, and our own work: whoever is still at it then does hang."""
        return longest() + OWN_SECONDS

    def run(self, work: Work) -> Product | Later:
        dossier = dossier_of(known.read(work.known_post))
        waits = self.waits / 2 - work.waited.total_seconds() if work.tries < self.most_tries else 0.0
        return Product(result=_result(dossier, explain(dossier, work, waits=waits)))


def dossier_of(post: Known) -> Dossier:
    """All that follows from what was collected, as of then: the same whenever it is asked."""
    verdict = judge(
        post.facts,
        post.history,
        now=post.collected_at or timezone.now(),
        platform=post.platform,
        thresholds=Thresholds(**settings.VERDICT),
    )
    items = evidence.build(post, verdict)
    return Dossier(
        known=post,
        verdict=verdict,
        evidence=items,
        confounders=confounders.look_for(post, items),
        demand=demand.demand_of(items, post.comments),
    )


def _result(dossier: Dossier, explained: Explained) -> dict[str, Any]:
    completion, grounded = explained.completion, explained.grounded
    return {
        **grounded.fields,
        "is_viral": dossier.verdict.is_viral,
        "verdict": _verdict(dossier.verdict),
        "confounders": [asdict(each) for each in dossier.confounders],
        "demand": [asdict(each) for each in dossier.demand],
        "evidence": [_evidence(each) for each in dossier.evidence],
        "grounding": {"claims": grounded.claims, "supported": grounded.supported, "ratio": grounded.ratio},
        "metadata_used": _metadata(dossier, explained),
        "provider": completion.provider,
        "model": completion.model,
        "prompt_version": explained.prompt_version,
        "tokens": asdict(completion.tokens),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    at = verdict.computed_at
    return {**asdict(verdict), "computed_at": at.isoformat().replace("+00:00", "Z") if at else None}


def _evidence(item: Any) -> dict[str, Any]:
    names = ("id", "kind", "text", "start", "end", "url", "numbers")
    told = {name: getattr(item, name) for name in names}
    return {name: value for name, value in told.items() if value not in (None, "", {})}


def _metadata(dossier: Dossier, explained: Explained) -> dict[str, Any]:
    post = dossier.known
    return {
        "comments_seen": len(post.comments),
        "comments_total": post.comments_total,
        "transcript_segments": len(post.spoken),
        "pictures": len(post.frames),
        "looked_at": list(explained.looked_at),
        "author_posts": len(post.history),
        "passed_over": list(explained.passed_over),
    }
