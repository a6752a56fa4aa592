"""What the workers do for posts."""

from datetime import timedelta

from celery import shared_task
from django.db.models import QuerySet
from django.utils import timezone

from core.models import delete_in_batches
from social import errands, platforms
from social.collecting import drive
from social.models import Errand, Post, Wanted
from social.scrapers.contract import Kind
from social.sweep import sweep_media

KINDS: tuple[Kind, ...] = ("post", "recent", "comments")
# What ended is kept for whoever looks into it, and then goes.
KEPT = timedelta(days=14)
AT_ONCE = 500


@shared_task(name="social.sweep")
def sweep() -> None:
    """Take up what nobody comes back for: a worker died, or a caller gave up."""
    for kind in KINDS:
        for platform in platforms.PLATFORMS:
            drive(kind, platform, None)


@shared_task(name="social.collect_again")
def collect_again(post_id: str) -> None:
    """Collect a stored post anew, however young it is; what a job delivers later the sweep brings home."""
    post = Post.objects.only("platform_id", "platform_post_id").filter(pk=post_id).first()
    if post is None:
        return
    for kind in ("post", "comments"):
        errands.want(kind, post.platform_id, [post.platform_post_id], newer_than=timezone.now())
        drive(kind, post.platform_id, [post.platform_post_id])


@shared_task(name="social.sweep_media", ignore_result=False)
def sweep_stored_media() -> dict[str, int]:
    return sweep_media()


@shared_task(name="social.tidy", ignore_result=False)
def tidy() -> dict[str, int]:
    """Let go of vendors' records past their date, and of what ended long ago."""
    past = timezone.now() - KEPT
    return {
        "records": _forget_records(Post.objects.filter(raw_until__lt=timezone.now())),
        "wanted": delete_in_batches(Wanted.objects.filter(finished_at__lt=past)),
        "errands": delete_in_batches(Errand.objects.filter(finished_at__lt=past)),
    }


def _forget_records(posts: QuerySet[Post]) -> int:
    forgotten = 0
    while batch := list(posts.values_list("pk", flat=True)[:AT_ONCE]):
        forgotten += Post.objects.filter(pk__in=batch).update(raw=None, raw_until=None)
    return forgotten
