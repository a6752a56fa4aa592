"""What can be done with an analysis: ask for it, ask what it would use, try it again, call it off, remove it."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Case, F, QuerySet, When
from django.db.models.functions import Now

from accounts.models import UsageEntry, UsageKind, User
from accounts.usage import check_usage_limit, get_user_plan, give_back, increment_usage, refuse_beyond
from analysis import engine, pipeline
from analysis.addresses import is_link, read_addresses
from analysis.chat.ending import interrupt
from analysis.chat.ending import unit_of as question_unit
from analysis.chat.models import ChatMessage, ChatSession
from analysis.comparing.figures import counted
from analysis.engine import unit_of
from analysis.errors import AlreadyOver, NothingToRetry
from analysis.history import ring_after_commit, tell
from analysis.models import OPEN, ModelAnswer, PostAnalysis, PostAnalysisRequest, StageRun, Status
from core.errors import Missing
from core.ids import uuid7
from core.queue import enqueue
from social.collecting import foresee
from social.facts import PostAddress


def request_analysis(user: User, urls: Sequence[str]) -> PostAnalysisRequest:
    """Read the addresses, spend their units, write the request down and send for its posts: all of it or nothing."""
    addresses = read_addresses(urls, most=get_user_plan(user).max_urls)
    with transaction.atomic():
        request = _create(user, addresses)
        posts = _create_posts(request, addresses)
        _spend(user, posts)
        foresee([each for each in addresses if not is_link(each)])
        tell(request, None, "request_created", "The request was taken.")
        _send(posts)
    return request


def _create(user: User, addresses: Sequence[PostAddress]) -> PostAnalysisRequest:
    platforms = {address.platform for address in addresses}
    return PostAnalysisRequest.objects.create(
        user=user,
        platform=platforms.pop() if len(platforms) == 1 else "mixed",
        post_urls=[address.url for address in addresses],
        display_name=_display_name(addresses),
        total_posts=len(addresses),
        open_posts=len(addresses),
        started_at=Now(),
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
    )


def _display_name(addresses: Sequence[PostAddress]) -> str:
    first = addresses[0].url.removeprefix("https://").removeprefix("www.")[:150]
    return first if len(addresses) == 1 else f"{first} and {len(addresses) - 1} more"


def _create_posts(request: PostAnalysisRequest, addresses: Sequence[PostAddress]) -> list[PostAnalysis]:
    return PostAnalysis.objects.bulk_create(
        PostAnalysis(
            id=uuid7(), request=request, position=place, platform=each.platform, platform_post_id=each.post_id,
            url=each.url, stage=pipeline.first_stage(is_link=is_link(each)), stage_since=Now(), hinted_at=Now(),
        )
        for place, each in enumerate(addresses)
    )  # fmt: skip


def _spend(user: User, posts: Sequence[PostAnalysis]) -> None:
    """A unit for each post. In the order of platforms, so that two requests of a user wait and never in a circle."""
    for platform in sorted({post.platform for post in posts}):
        theirs = [post for post in posts if post.platform == platform]
        # Asked first only so that a refusal can say how much was wanted: spending decides.
        about = {"kind": UsageKind.URL_LOOKUPS, "platform": platform}
        refuse_beyond(check_usage_limit(user, amount=len(theirs), **about), **about)
        for post in theirs:
            increment_usage(user, UsageKind.URL_LOOKUPS, platform=platform, source=unit_of(post.pk))


def _send(posts: Sequence[PostAnalysis]) -> None:
    ids = [(post.pk, pipeline.STAGES[post.stage].queue) for post in posts]

    def send() -> None:
        for post_id, queue in ids:
            if not enqueue(pipeline.TASK, post_id, queue, queue=queue):
                return  # the sweep sends what the broker does not take

    transaction.on_commit(send)


def retry(user: User, request_id: UUID) -> PostAnalysisRequest:
    """Go on with the posts that failed, each at its first stage that is not done."""
    with transaction.atomic():
        failed = list(
            _posts_of(user, request_id).filter(status=Status.FAILED).select_for_update(of=("self",)).order_by("pk")
        )
        _end(request_id)
        _reopen(request_id, len(failed))
        _spend(user, failed)
        PostAnalysis.objects.filter(pk__in=[post.pk for post in failed]).update(
            status=Status.PENDING, tries=0, run_after=None, lease_until=None, hinted_at=Now(), stage_since=Now(),
            finished_at=None, error_stage="", error_category="", error_code="", error_message="",
            progress=0, error_retryable=False,
        )  # fmt: skip
        # An answer that was paid for is used still; one of no use shall not keep anybody from asking again.
        ModelAnswer.objects.filter(post_analysis__in=failed).exclude(problem="").update(set_aside=True)
        request = PostAnalysisRequest.objects.get(pk=request_id)
        verb = "is" if len(failed) == 1 else "are"
        tell(request, None, "retrying", f"{counted(len(failed), 'post')} {verb} tried again.")
        _send(failed)
    return request


def _reopen(request_id: UUID, posts: int) -> None:
    """Once: whoever asks for the same at the same time finds it open."""
    over = PostAnalysisRequest.objects.filter(
        pk=request_id, status__in=(Status.COMPLETED, Status.FAILED), open_posts=0, retry_count__lt=F("max_retries")
    )
    reopened = posts and over.update(
        status=Status.PROCESSING, open_posts=posts, retry_count=F("retry_count") + 1, started_at=Now(),
        finished_at=None, partial_success=False,
        posts_processed=F("posts_processed") - posts, progress_points=F("progress_points") - 100 * posts,
        error_stage="", error_category="", error_details={}, results={}, duration_seconds=None,
    )  # fmt: skip
    if not reopened:
        raise NothingToRetry


def cancel(user: User, request_id: UUID) -> PostAnalysisRequest:
    """Call off what has not ended. What nobody has begun with since it was opened gets its unit back."""
    while not _call_off(user, request_id):
        # Somebody had posts tried again between our look and our lock: look again.
        if not PostAnalysisRequest.objects.filter(pk=request_id, status__in=OPEN).exists():
            raise AlreadyOver
    return PostAnalysisRequest.objects.get(pk=request_id)


def _call_off(user: User, request_id: UUID) -> bool:
    """Only if what was found open is all that is: its posts, then the request, as everybody locks them."""
    with transaction.atomic():
        posts = list(_posts_of(user, request_id).filter(status__in=OPEN).select_for_update(of=("self",)).order_by("pk"))
        if not posts:
            _end(request_id)
            return False
        asked = PostAnalysisRequest.objects.filter(pk=request_id, status__in=OPEN, open_posts=len(posts))
        closed = asked.update(
            cancelled_at=Now(), open_posts=0, posts_processed=F("posts_processed") + len(posts)
        )  # fmt: skip
        if not closed:
            transaction.set_rollback(True)
            return False
        _stop(posts)
        _end(request_id)
        return True


def _end(request_id: UUID) -> None:
    """Where its posts have all ended: also for whoever ended the last of them and has not come to that yet."""
    ring_after_commit(request_id, engine.finalize(request_id))


def _stop(posts: Sequence[PostAnalysis]) -> None:
    ids = [post.pk for post in posts]
    StageRun.objects.filter(post_analysis__in=ids, outcome="running").update(outcome="lost", finished_at=Now())
    # The fence moves, so whoever is at work on one of them finds it gone.
    PostAnalysis.objects.filter(pk__in=ids).update(
        status=Status.CANCELLED, fence=F("fence") + 1, lease_until=None, run_after=None, finished_at=Now(), progress=100
    )
    # Not by its runs, which it may have of an earlier opening: whoever claims it says that it is begun with.
    _return_units(unit_of(post.pk) for post in posts if post.status == Status.PENDING)


def _return_units(sources: Iterable[str]) -> None:
    """In the order of platforms, as they are spent: else two requests of a user could wait for each other."""
    kind = UsageKind.URL_LOOKUPS
    spent = UsageEntry.objects.filter(source__in=[*sources], kind=kind, given_back_at=None)
    for source in spent.order_by("platform", "day", "id").values_list("source", flat=True):
        give_back(source=source, kind=kind)


def remove(user: User, request_id: UUID) -> None:
    """Remove a request with all that hangs on it; one that has not ended is called off first."""
    _stop_answers(user, request_id)
    with transaction.atomic():
        # Held, so that nobody begins with one of them again, and what was found to hang on them is all. Before anything
        # touches the request: whoever has a post may wait for that.
        list(_posts_of(user, request_id).select_for_update(of=("self",)).order_by("pk").values_list("pk"))
        _return_questions(request_id)
        with suppress(AlreadyOver):
            cancel(user, request_id)
        PostAnalysisRequest.objects.filter(pk=request_id, user=user).delete()


def _stop_answers(user: User, request_id: UUID) -> None:
    """Whoever listens hears of it, and what was not begun is not paid for."""
    of_request = ChatMessage.objects.filter(session__user=user, session__post_analysis__request=request_id)
    for message_id in of_request.filter(status=ChatMessage.Status.STREAMING).values_list("pk", flat=True):
        interrupt(message_id, code="removed", message="The analysis was removed.")


def _return_questions(request_id: UUID) -> None:
    """Of those that were asked since: whoever asks now waits for us. All is locked before any unit, as they do it."""
    sessions = ChatSession.objects.filter(post_analysis__request=request_id).select_for_update(of=("self",))
    answers = ChatMessage.objects.filter(
        session__in=[*sessions.order_by("pk").values_list("pk", flat=True)], status=ChatMessage.Status.STREAMING
    )
    held = answers.select_for_update(of=("self",)).order_by("pk")
    for message_id in [pk for pk, content in held.values_list("pk", "content") if not content]:
        give_back(source=question_unit(message_id), kind=UsageKind.QUESTIONS_ASKED)


def _posts_of(user: User, request_id: UUID) -> QuerySet[PostAnalysis]:
    if not PostAnalysisRequest.objects.filter(pk=request_id, user=user).exists():
        raise Missing
    return PostAnalysis.objects.filter(request=request_id)


def run_again(post_analysis_id: UUID, stage: str) -> bool:
    """Let an ended post go back to a stage, for the desk: nothing is spent, and what lies before is used again."""
    names = [*pipeline.STAGES]
    with transaction.atomic():
        post = PostAnalysis.objects.select_for_update().get(pk=post_analysis_id)
        if post.status in OPEN:
            return False
        StageRun.objects.filter(
            post_analysis=post, stage__in=names[names.index(stage) :], outcome=StageRun.Outcome.DONE
        ).update(outcome=StageRun.Outcome.UNDONE)
        ModelAnswer.objects.filter(post_analysis=post).update(set_aside=True)
        PostAnalysisRequest.objects.filter(pk=post.request_id).update(
            status=Status.PROCESSING, open_posts=F("open_posts") + 1, posts_processed=F("posts_processed") - 1,
            progress_points=F("progress_points") - 100, finished_at=None, cancelled_at=None,
            started_at=Case(When(open_posts=0, then=Now()), default=F("started_at")),
        )  # fmt: skip
        PostAnalysis.objects.filter(pk=post.pk).update(
            status=Status.PENDING, stage=stage, tries=0, progress=0, stage_since=Now(), hinted_at=Now(),
            run_after=None, lease_until=None, finished_at=None, error_stage="", error_category="", error_code="",
            error_message="", error_retryable=False,
        )  # fmt: skip
        post.stage = stage
        tell(PostAnalysisRequest.objects.get(pk=post.request_id), post.pk, "retrying", "The team runs a step again.")
        _send([post])
    return True
