"""Collect one post by hand, all the way, and say what came of each step."""

import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from core.errors import Problem
from social.collecting import Collected, Progress, collect, collect_comments, collect_recent
from social.errors import AddressInvalid
from social.facts import AuthorAddress, PostAddress
from social.media.keep import keep_media
from social.models import Post
from social.platforms import redirects
from social.transcribers import NoWords
from social.transcribing import transcribe


class Command(BaseCommand):
    """`manage.py collect ADDRESS`."""

    help = "Collect a post, its author's latest posts, comments, media and words, and say what came of each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", help="The address of a post on Instagram, X or YouTube.")
        parser.add_argument("--again", action="store_true", help="Collect it anew, however young the stored one is.")
        parser.add_argument("--minutes", type=float, default=20, help="How long to wait for slow vendors.")

    def handle(self, *args: Any, **options: Any) -> None:
        self.deadline = time.monotonic() + 60 * options["minutes"]
        address = self._address(options["address"])
        post = self._post(address, again=options["again"])
        self._say(
            "post",
            f"{post.format or 'post'} by @{post.author}, {post.posted_at:%Y-%m-%d}" if post.posted_at else "found",
        )
        self._say(
            "metrics", ", ".join(f"{name} {value:,}" for name, value in post.metrics.items() if value is not None)
        )
        author = AuthorAddress(platform=post.platform_id, handle=post.author, author_id=post.author_id)
        if post.author or post.author_id:
            self._step("recent", lambda: collect_recent(author))
        self._step("comments", lambda: collect_comments(address))
        self._media(post)
        self._words(post)
        self._say("stored as", str(post.pk))

    def _address(self, text: str) -> PostAddress:
        try:
            found = redirects.resolve(text)
        except (AddressInvalid, Problem) as wrong:
            raise CommandError(wrong.message) from None
        self._say("address", found.canonical_url)
        return PostAddress(platform=found.platform, post_id=found.post_id, url=found.canonical_url)

    def _post(self, address: PostAddress, *, again: bool) -> Post:
        newer_than = timezone.now() if again else None
        while not (collected := collect([address], newer_than=newer_than)).stored:
            self._stop_if_over(collected, address)
            self._pause(collected.retry_in)
        stored = collected.stored[address]
        self._say("collected", f"{stored.collected_at:%Y-%m-%d %H:%M} UTC{', used again' if stored.reused else ''}")
        return Post.objects.get(pk=stored.post_id)

    def _stop_if_over(self, collected: Collected, address: PostAddress) -> None:
        if failed := collected.failed.get(address):
            raise CommandError(f"{failed.code}{' (trying again later may help)' if failed.retryable else ''}")
        if time.monotonic() > self.deadline:
            raise CommandError("It takes too long; what was begun goes on without us.")

    def _step(self, name: str, ask: Callable[[], Progress]) -> None:
        while (progress := ask()).state == "waiting" and time.monotonic() < self.deadline:
            self._pause(progress.retry_in)
        self._say(name, progress.failed.code if progress.failed else progress.state)

    def _media(self, post: Post) -> None:
        kept = keep_media(post.pk)
        failed = ", ".join(f"{count} {code}" for code, count in kept.failed.items())
        self._say("media", f"{kept.stored} kept" + (f"; not kept: {failed}" if failed else ""))

    def _words(self, post: Post) -> None:
        try:
            found = transcribe(post.pk)
        except Problem as problem:
            self._say("words", problem.code)
            return
        if isinstance(found, NoWords):
            self._say("words", f"{found.state}. {found.advice}".rstrip())
        else:
            post.refresh_from_db(fields=["transcript", "transcript_source"])
            self._say("words", f"{len(post.transcript.split())} from {post.transcript_source}")

    def _pause(self, seconds: float) -> None:
        time.sleep(min(seconds, 5.0))

    def _say(self, name: str, words: str) -> None:
        self.stdout.write(f"  {name:<10}{words}")
