"""What goes at night: media past their time, bytes that nobody shows any more, and files that nobody knows of.

A row is marked as leaving before its bytes are taken, and goes after them: whoever keeps the same bytes at that moment
is told to come again, and what a crash leaves half done a later sweep finishes. Any number may sweep at once, each
what it marked itself.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any, TypeVar

from django.conf import settings
from django.core.files.storage import storages
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from social.models import PostMedia, StoredFile

AT_ONCE = 500
# Bytes are written before anybody refers to them.
YOUNG = timedelta(days=1)
# A sweep that has not finished what it marked by then is dead. Until then what it marked is its own: two that took the
# same bytes away could take those of somebody who has kept them anew in between.
GIVEN_UP = timedelta(minutes=30)
T = TypeVar("T")


def sweep_media() -> dict[str, int]:
    return {"expired": _expire(), "unused": _take_unused(), "unknown": _take_unknown()}


def _expire() -> int:
    """Media of posts that were last collected long ago; those that are only rows stay, to be fetched again."""
    before = timezone.now() - timedelta(days=settings.MEDIA_DAYS)
    old = PostMedia.objects.filter(file__isnull=False, post__seen_at__lt=before)
    expired = 0
    while batch := list(old.values_list("pk", flat=True)[:AT_ONCE]):
        rows = PostMedia.objects.filter(pk__in=batch)
        expired += rows.update(file=None, state=PostMedia.State.FAILED, error="expired")
    return expired


def _take_unused() -> int:
    taken = 0
    while batch := _mark_leaving():
        for name in batch:
            storages["default"].delete(name)
        taken += StoredFile.objects.filter(name__in=batch).delete()[0]
    return taken


@transaction.atomic
def _mark_leaving() -> list[str]:
    """Some that nobody shows: locked, so that nobody can begin to show them between the look and the mark."""
    shown = Exists(PostMedia.objects.filter(file=OuterRef("pk")))
    left_behind = Q(leaving_since__lt=Now() - GIVEN_UP)
    unused = StoredFile.objects.filter(left_behind | (~shown & Q(leaving_since=None, touched_at__lt=Now() - YOUNG)))
    rows = list(unused.select_for_update(skip_locked=True, of=("self",))[:AT_ONCE])
    StoredFile.objects.filter(pk__in=[row.pk for row in rows]).update(leaving_since=Now())
    return [row.name for row in rows]


def _take_unknown() -> int:
    """Files without a row: halves that a crash left, and what belonged to rows that are gone."""
    storage: Any = storages["default"]
    before, taken = (timezone.now() - YOUNG).timestamp(), 0
    for batch in _batches(name for name, written in storage.names() if written < before):
        known = {*StoredFile.objects.filter(name__in=batch).values_list("name", flat=True)}
        for name in {*batch} - known:
            storage.discard(name)
            taken += 1
    return taken


def _batches(names: Iterable[T]) -> Iterator[list[T]]:
    left = iter(names)
    while batch := list(islice(left, AT_ONCE)):
        yield batch
