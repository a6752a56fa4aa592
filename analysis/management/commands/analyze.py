"""Have posts explained at a terminal: the same request, the same pipeline, the same quota as over HTTP."""

import logging
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from rich.console import Console

from accounts.demo import DEMO_EMAIL
from accounts.management.database import needs_database
from accounts.models import User, normal_email
from analysis.bodies import request_body
from analysis.models import PostAnalysisRequest
from analysis.services import request_analysis
from analysis.terminal.carrying import carried
from analysis.terminal.report import one_line, report_of
from analysis.terminal.watching import Watch
from core.errors import Problem
from core.ids import uuid7
from core.wire import JSONRenderer

NOTHING_EXPLAINED, SOME_EXPLAINED, BROKEN_OFF = 1, 3, 130


class Command(BaseCommand):
    """`manage.py analyze URL [URL ...]`."""

    help = (
        "Have posts explained and print the report. Ends with 0 if all are explained, 1 if none is or the request was "
        "refused, 3 if only some are, 130 at Ctrl-C."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("urls", nargs="+", metavar="URL", help="The address of a post on Instagram, X or YouTube.")
        parser.add_argument("--user", default=DEMO_EMAIL, metavar="EMAIL", help=f"Whose request it is ({DEMO_EMAIL}).")
        parser.add_argument("--json", action="store_true", help="Print what the API answers, and nothing else.")

    def handle(self, *args: Any, **options: Any) -> None:
        # Of its own, so that the admin's page of the thread has what the request caused.
        with structlog.contextvars.bound_contextvars(request_id=str(uuid7())), _log_on_stderr():
            try:
                with needs_database():
                    body = self._explained(options)
            except Problem as problem:
                raise CommandError(sentences(problem)) from None
        self._print(body, as_json=options["json"])
        _end(body)

    def _explained(self, options: dict[str, Any]) -> dict[str, Any]:
        user = self._user(options["user"])
        request = request_analysis(user, options["urls"])
        try:
            with carried(request.pk):
                Watch(request.pk, Console(stderr=True, quiet=options["json"])).follow()
        except KeyboardInterrupt:
            # It may have come in the middle of a question to the database.
            connection.close()
            raise CommandError(_left(request), returncode=BROKEN_OFF) from None
        return request_body(request.pk, user_id=user.pk)

    def _user(self, email: str) -> User:
        user = User.objects.filter(email=normal_email(email), is_active=True).first()
        if user is None:
            named = "`make run` makes the demo user, or name somebody with --user."
            raise CommandError(f"There is no active user {one_line(email)}: {named}")
        return user

    def _print(self, body: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(JSONRenderer().render(body).decode())
            return
        console = Console(file=self.stdout._out, highlight=False)  # type: ignore[arg-type]
        for part in report_of(body):
            console.print(part)


def sentences(problem: Problem) -> str:
    """What was wrong; for addresses, what was wrong with each."""
    wrong = [each for each in problem.details.get("post_urls", ()) if isinstance(each, dict)]
    lines = [f"  {one_line(each['url'])}: {one_line(each['error'])}" for each in wrong]
    return "\n".join([one_line(problem.message), *lines])


def _left(request: PostAnalysisRequest) -> str:
    return f"Broken off here. Request {request.pk} is left to the workers: they go on with it wherever they run."


def _end(body: dict[str, Any]) -> None:
    total = body["total_posts"]
    explained = sum(post["status"] == "COMPLETED" for post in body["posts"])
    if explained < total:
        code = SOME_EXPLAINED if explained else NOTHING_EXPLAINED
        raise CommandError(f"{explained} of {total} posts are explained.", returncode=code)


class _Stderr:
    """Wherever stderr leads just now: a display that is being drawn takes lines in and draws itself below them."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


@contextmanager
def _log_on_stderr() -> Iterator[None]:
    """Stdout is for the report alone; and of the log, only what needs a look."""
    lines = next((each for each in logging.getLogger().handlers if each.name == "stdout"), None)
    if not isinstance(lines, logging.StreamHandler):
        yield
        return
    before, level = lines.setStream(_Stderr()), lines.level
    lines.setLevel(logging.WARNING)
    try:
        yield
    finally:
        lines.setStream(before)
        lines.setLevel(level)
