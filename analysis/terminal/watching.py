"""A request's way as a terminal shows it: a bar for each post, or a line for each word where nobody looks on."""

import time
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from analysis.models import OPEN, AnalysisStatusHistory, PostAnalysis, PostAnalysisRequest
from analysis.terminal.report import one_line

LOOK_SECONDS = 0.2


class Watch:
    """Reads the rows, whoever writes them: this process or the workers."""

    def __init__(self, request_id: UUID, console: Console) -> None:
        self.request_id, self.console, self.seen = request_id, console, 0
        self.bars: dict[UUID, TaskID] = {}
        self.words: dict[UUID, str] = {}
        # What people wrote is no markup: texts are drawn as they are.
        self.progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.fields[url]}", markup=False, table_column=_cut(40)),
            BarColumn(16),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[told]}", markup=False, table_column=_cut(60)),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def follow(self) -> None:
        """Until the request is over."""
        with self.progress:
            while not self._look():
                time.sleep(LOOK_SECONDS)

    def _look(self) -> bool:
        # The end is asked for first: whatever was written before it is then among the rows.
        over = not PostAnalysisRequest.objects.filter(pk=self.request_id, status__in=OPEN).exists()
        news = AnalysisStatusHistory.objects.filter(request=self.request_id, pk__gt=self.seen).order_by("pk")
        for word in news:
            self._hear(word)
        for post in PostAnalysis.objects.filter(request=self.request_id).order_by("position").values(*OF_POST):
            self._draw(post)
        return over

    def _hear(self, word: AnalysisStatusHistory) -> None:
        self.seen = word.pk
        if word.post_analysis_id:
            self.words[word.post_analysis_id] = one_line(word.message)
        if not self.console.is_terminal:
            self.console.print(
                f"{word.progress:>3} %  {one_line(word.message)}", markup=False, highlight=False, soft_wrap=True
            )

    def _draw(self, post: dict[str, Any]) -> None:
        told = {"COMPLETED": "It is explained.", "CANCELLED": "It was cancelled."}.get(post["status"])
        told = told or one_line(post["error_message"]) or self.words.get(post["id"], "It waits for its turn.")
        if post["id"] not in self.bars:
            url = one_line(post["url"]).removeprefix("https://").removeprefix("www.")
            self.bars[post["id"]] = self.progress.add_task("", total=100, url=url, told=told)
        self.progress.update(self.bars[post["id"]], completed=post["progress"], told=told)


OF_POST = ("id", "url", "status", "progress", "error_message")


def _cut(width: int) -> Column:
    return Column(no_wrap=True, overflow="ellipsis", max_width=width)
