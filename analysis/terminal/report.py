"""A request as a report for a terminal, from what the API gives. Whatever people or models wrote is text, no markup."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from analysis.plain import make_visible

Body = dict[str, Any]
SECTIONS = {
    "virality_reasoning": "Why it did as it did",
    "quick_takeaways": "Takeaways",
    "viral_formula": "The formula",
    "improvements": "What could be better",
    "suggestions_for_future_posts": "What to do next",
}
LABELS = {
    "over": ("over", "bold green"),
    "typical": ("typical", "bold yellow"),
    "under": ("under", "bold red"),
    "too_early": ("too early to tell", "bold yellow"),
    "not_enough_history": ("not enough history to tell", "bold yellow"),
}
STATES = {"present": ("present", "yellow"), "ruled_out": ("ruled out", "green"), "cannot_tell": ("cannot tell", "dim")}


def one_line(text: Any) -> str:
    """Nothing that a terminal would obey: no control, no turned direction, no line of its own."""
    return " ".join(make_visible(str(text)).split())


def report_of(request: Body) -> Iterator[RenderableType]:
    for post in request["posts"]:
        yield Rule(_text(post["url"], "bold"), align="left")
        yield from _explained(post) if post["status"] == "COMPLETED" else _not_explained(post)
    yield from _receipt(request)


def _not_explained(post: Body) -> Iterator[RenderableType]:
    if post["status"] != "FAILED":
        yield _text(f"{post['status'].lower()}, at {post['stage']}", "yellow")
        return
    yield _text(f"Not explained: {post['error_message']}", "bold red")
    again = "Trying again may help." if post["error_retryable"] else "Trying again would not help."
    yield _text(f"{post['error_category']} ({post['error_code']}) at {post['error_stage']}. {again}")


def _explained(post: Body) -> Iterator[RenderableType]:
    yield from _verdict(post["verdict"])
    for name, title in SECTIONS.items():
        claims = post[name] if isinstance(post[name], list) else [post[name]]
        yield from _section(title, _claims([claim for claim in claims if claim]))
    yield from _section("What else may have lifted it", _confounders(post["confounders"]))
    yield from _section("What readers ask for", _demand(post["demand"]))
    yield from _section("The evidence cited", _evidence(_cited(post)))
    yield from _section("How it was made", _made(post))


def _verdict(verdict: Body) -> Iterator[RenderableType]:
    words, style = LABELS.get(verdict["label"], (verdict["label"], "bold"))
    multiple = verdict["multiple"]
    times = f": {_number(multiple)} times the author's usual" if multiple is not None else ""
    yield Text.assemble(("Verdict  ", "bold"), (one_line(words + times), style))
    yield _text(verdict["basis"])
    baseline = verdict["baseline"]
    numbers = [f"{baseline['n']} comparable posts", one_line(baseline["window"])]
    if baseline["median"] is not None:
        numbers.append(f"median {_number(baseline['median'])} {baseline['metric']}")
    if verdict["percentile"] is not None:
        numbers.append(f"ahead of {verdict['percentile']:.0f} % of them")
    yield _text("; ".join(filter(None, numbers)), "dim")


def _section(title: str, rows: Table) -> Iterator[RenderableType]:
    if rows.row_count:
        yield Text(f"\n{title}", "bold")
        yield Padding(rows, (0, 0, 0, 2))


def _claims(claims: Sequence[Body]) -> Table:
    rows = _grid()
    for number, claim in enumerate(claims, 1):
        doubt = "" if claim["supported"] else "  not supported by its evidence"
        rows.add_row(
            Text(f"{number}."), Text.assemble(one_line(claim["text"]), _ids(claim["evidence"]), (doubt, "bold red"))
        )
    return rows


def _confounders(confounders: Sequence[Body]) -> Table:
    rows = _grid(columns=3)
    for each in confounders:
        words, style = STATES.get(each["state"], (each["state"], ""))
        note = Text.assemble(one_line(each["note"]), _ids(each["evidence"]))
        rows.add_row(_text(each["kind"].replace("_", " ")), _text(words, style), note)
    return rows


def _demand(demand: Sequence[Body]) -> Table:
    rows = _grid()
    for each in demand:
        times = Text.assemble(_counted(each["count"], "comment"), _ids(each["examples"]))
        rows.add_row(_text(each["kind"].replace("_", " ")), times)
    return rows


def _cited(post: Body) -> list[Body]:
    """In their own order, each once."""
    claims = [claim for name in SECTIONS for claim in (post[name] if isinstance(post[name], list) else [post[name]])]
    ids = {name for claim in claims if claim for name in claim["evidence"]}
    ids |= {name for each in post["confounders"] for name in each["evidence"]}
    ids |= {name for each in post["demand"] for name in each["examples"]}
    return [item for item in post["evidence"] if item["id"] in ids]


def _evidence(items: Iterable[Body]) -> Table:
    rows = _grid(columns=3)
    for item in items:
        at = f" {item['start']:.1f} s" if "start" in item else ""
        rows.add_row(_text(item["id"], "cyan"), _text(f"{item['kind']}{at}", "dim"), _text(f'"{item["text"]}"'))
    return rows


def _made(post: Body) -> Table:
    grounding, rows = post["grounding"], _grid()
    share = f"{grounding['supported']} of {grounding['claims']} claims hold ({100 * grounding['ratio']:.0f} %)"
    model = f", {post['model']}" if post["model"] and post["model"] != post["provider"] else ""
    rows.add_row("grounding", _text(share))
    rows.add_row("provider", _text(f"{post['provider']}{model}, prompt {post['prompt_version']}"))
    return rows


def _receipt(request: Body) -> Iterator[RenderableType]:
    yield Rule(Text("Receipt", "bold"), align="left")
    for post, used in zip(request["posts"], request["receipt"]["posts"], strict=True):
        yield _text(post["url"])
        yield Padding(_stages(used["stages"]), (0, 0, 0, 2))
    total = request["receipt"]
    took = f" in {request['duration_seconds']:.1f} s" if request["duration_seconds"] is not None else ""
    yield _text(
        f"{_counted(total['units_spent'], 'unit')} spent, {total['units_given_back']} given back; "
        f"{_counted(total['vendor_calls'], 'vendor call')}, {total['tokens']:,} tokens, {_dollars(total['cost'])}{took}"
    )
    yield _text(f"Request {request['id']}: {request['status'].lower()}", "dim")


def _stages(stages: Iterable[Body]) -> Table:
    rows = _grid(columns=3)
    for stage in stages:
        used = {"call": stage["vendor_calls"], "token": stage["tokens"], "second": round(stage["seconds_transcribed"])}
        words = [_counted(number, one) for one, number in used.items() if number]
        words += ["nothing fetched"] if stage["reused"] else []
        words += [f"{stage['runs']} runs"] if stage["runs"] > 1 else []
        words += [_dollars(stage["cost"])] if stage["vendor_calls"] else []
        rows.add_row(_text(stage["stage"]), _text(stage["outcome"].replace("_", " ")), _text(", ".join(words), "dim"))
    return rows


def _counted(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _dollars(micros: int | None) -> str:
    return "no price" if micros is None else f"${micros / 1_000_000:,.6f}"


def _grid(*, columns: int = 2) -> Table:
    rows = Table.grid(padding=(0, 1))
    for _ in range(columns - 1):
        rows.add_column(no_wrap=True)
    rows.add_column()
    return rows


def _ids(ids: Sequence[str]) -> tuple[str, str]:
    return (f" [{', '.join(map(one_line, ids))}]" if ids else "", "cyan")


def _text(words: Any, style: str = "") -> Text:
    return Text(one_line(words), style)
