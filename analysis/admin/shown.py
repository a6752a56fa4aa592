"""What the desk shows of a request and of its posts: tables from rows, and from what was found. Text stays text."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from analysis.bodies import receipt
from analysis.models import ModelAnswer, PostAnalysis, PostAnalysisRequest, StageRun
from core.admin import counted, table

# Of one request or post, on its page.
MOST_HISTORY, MOST_RUNS, MOST_ANSWERS, MOST_POSTS = 500, 200, 20, 200
CLAIMS = (
    "virality_reasoning", "quick_takeaways", "creator_context", "content_observation", "replicable_elements",
    "viral_formula", "improvements", "suggestions_for_future_posts",
)  # fmt: skip
ERROR = ("error_stage", "error_category", "error_code", "error_message")
TIME = "%d\N{NO-BREAK SPACE}%b\N{NO-BREAK SPACE}%H:%M:%S"


@admin.display(description="what was told")
def timeline(request: PostAnalysisRequest) -> str:
    """In order, and as its user saw it."""
    rows = [
        (
            each.created_at.strftime(TIME), each.stage, each.status, f"{each.progress} %", each.message,
            dollars(each.cost_micros), _post_link(each.post_analysis_id, "post") if each.post_analysis_id else "",
        )
        for each in request.history.order_by("id")[:MOST_HISTORY]
    ]  # fmt: skip
    return table(("at", "word", "status", "progress", "message", "cost so far", ""), rows)


def addresses(request: PostAnalysisRequest) -> str:
    return format_html_join("", "<div>{}</div>", ((url,) for url in request.post_urls))


def posts(request: PostAnalysisRequest) -> str:
    found = request.posts.order_by("position").only("pk", "url", "status", "stage", "verdict", "provider", *ERROR)
    rows = [
        (_post_link(post.pk, post.url), post.status, post.stage, verdict_label(post), error(post), post.provider)
        for post in found[:MOST_POSTS]
    ]
    return table(("post", "status", "stage", "verdict", "error", "provider"), rows)


@admin.display(description="error")
def error(row: PostAnalysis) -> str:
    return (
        f"{row.error_category} ({row.error_code}) at {row.error_stage}: {row.error_message}" if row.error_code else "-"
    )


@admin.display(description="receipt")
def used(request: PostAnalysisRequest) -> str:
    """The receipt, as its user sees it."""
    addresses = dict(request.posts.order_by("position").values_list("pk", "url")[:MOST_POSTS])
    body = receipt(addresses)
    rows = [
        (addresses[post["post_analysis_id"]], *_stage_cells(stage))
        for post in body["posts"]
        for stage in post["stages"]
    ]
    units = f"{counted(body['units_spent'], 'unit', 'units')} spent, {body['units_given_back']} given back"
    total = f"{units}; {counted(body['vendor_calls'], 'vendor call', 'vendor calls')}, {body['tokens']:,} tokens, "
    heads = ("post", "stage", "outcome", "runs", "calls", "tokens", "seconds heard", "cost")
    return format_html("<p>{}</p>{}", total + dollars(body["cost"]), table(heads, rows))


def _stage_cells(stage: dict[str, Any]) -> tuple[Any, ...]:
    outcome = f"{stage['outcome']}, nothing fetched" if stage["reused"] else stage["outcome"]
    numbers = (stage["runs"], stage["vendor_calls"], f"{stage['tokens']:,}", f"{stage['seconds_transcribed']:.0f}")
    return (stage["stage"], outcome, *numbers, dollars(stage["cost"]))


def runs(post: PostAnalysis) -> str:
    """Each run of each stage, in order."""
    heads = ("began", "stage", "outcome", "took", "code", "note", "calls", "tokens", "seconds heard", "cost", "fence")
    return table(heads, [_run_cells(run) for run in post.runs.order_by("id")[:MOST_RUNS]])


def _run_cells(run: StageRun) -> tuple[Any, ...]:
    took = f"{(run.finished_at - run.started_at).total_seconds():,.1f} s" if run.finished_at else "-"
    outcome = f"{run.outcome}, nothing fetched" if run.reused else run.outcome
    used = (run.calls, f"{run.tokens:,}", f"{run.seconds_transcribed:.0f}", dollars(run.cost_micros))
    return (run.started_at.strftime(TIME), run.stage, outcome, took, run.code, run.note, *used, run.fence)


@admin.display(description="verdict")
def verdict_label(post: PostAnalysis) -> str:
    multiple = post.verdict.get("multiple")
    label = str(post.verdict.get("label", "-")).replace("_", " ")
    return label if multiple is None else f"{label}, {multiple:,.1f}x"


def verdict(post: PostAnalysis) -> str:
    if not post.verdict:
        return "-"
    baseline = post.verdict.get("baseline", {})
    rows = [("label", verdict_label(post))]
    rows += [(name.replace("_", " "), post.verdict.get(name)) for name in ("basis", "percentile", "computed_at")]
    return table(("", ""), rows + [(f"baseline, {name}", value) for name, value in baseline.items()])


def claims(post: PostAnalysis) -> str:
    """Every claim, what it cites, and whether that bears it."""
    rows = [
        (part, claim["text"], ", ".join(claim["evidence"]), "yes" if claim["supported"] else "NO")
        for name in CLAIMS
        for part, claim in _claims_of(name, getattr(post, name))
    ]
    return table(("part", "claim", "evidence", "supported"), rows)


def _claims_of(name: str, value: Any) -> list[tuple[str, dict[str, Any]]]:
    """A part is a list of claims, one claim, or claims by what they observe, some of them missing."""
    title = name.replace("_", " ")
    if isinstance(value, list):
        return [(title, claim) for claim in value]
    if "text" in value:
        return [(title, value)]
    return [(f"{title}: {part}", claim) for part, claim in value.items() if claim]


def evidence(post: PostAnalysis) -> str:
    rows = [(each["id"], each["kind"], _seconds(each), each["text"]) for each in post.evidence]
    return table(("id", "kind", "at", "text"), rows)


def _seconds(item: dict[str, Any]) -> str:
    return f"{item['start']:.1f} s" if "start" in item else ""


def confounders(post: PostAnalysis) -> str:
    rows = [(each["kind"], each["state"], each["note"], ", ".join(each["evidence"])) for each in post.confounders]
    return table(("kind", "state", "note", "evidence"), rows)


def demand(post: PostAnalysis) -> str:
    rows = [(each["kind"], each["count"], ", ".join(each["examples"])) for each in post.demand]
    return table(("kind", "comments", "such as"), rows)


def answers(post: PostAnalysis) -> str:
    """Who was asked, newest first; each leads to the prompt and the answer."""
    found = post.answers.order_by("-id").defer("prompt", "answer")[:MOST_ANSWERS]
    rows = [
        (_answer_link(each), each.provider, each.model, each.finish, each.problem, dollars(each.cost_micros))
        for each in found
    ]
    return table(("asked", "provider", "model", "finish", "why it was not used", "cost"), rows)


@admin.display(description="claims that hold")
def grounding(post: PostAnalysis) -> str:
    found = post.grounding
    return f"{found['supported']} of {found['claims']} ({100 * found['ratio']:.0f} %)" if found else "-"


@admin.display(description="what it could rest on")
def rests_on(post: PostAnalysis) -> str:
    return _listed(post.metadata_used)


def tokens(post: PostAnalysis | ModelAnswer) -> str:
    return _listed(post.tokens)


@admin.display(description="address")
def link(post: PostAnalysis) -> str:
    return format_html('<a href="{0}" rel="noreferrer noopener">{0}</a>', post.url)


@admin.display(description="prompt, to the letter")
def prompt(answer: ModelAnswer) -> str:
    return _raw(answer.prompt)


@admin.display(description="answer, as it came")
def raw_answer(answer: ModelAnswer) -> str:
    return _raw(answer.answer)


def _raw(text: str) -> str:
    return format_html('<p>{}</p><pre class="whyral-raw">{}</pre>', counted(len(text), "character", "characters"), text)


def _listed(found: dict[str, Any]) -> str:
    return "; ".join(f"{name.replace('_', ' ')}: {_words(value)}" for name, value in found.items()) or "-"


def _words(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def dollars(micros: int | None) -> str:
    return "no price" if micros is None else f"${micros / 1_000_000:,.6f}"


def _post_link(pk: Any, text: str) -> str:
    return format_html('<a href="{}">{}</a>', reverse("admin:analysis_postanalysis_change", args=[pk]), text)


def _answer_link(answer: ModelAnswer) -> str:
    where = reverse("admin:analysis_modelanswer_change", args=[answer.pk])
    return format_html('<a href="{}">{}</a>', where, answer.created_at.strftime(TIME))
