"""The post itself, its author's recent posts, and what people said under it: from our tables, or from a vendor.

The post decides: without it there is nothing to explain. Its companions are waited for, for a while, and may fail.
"""

from typing import ClassVar

from analysis.engine import Work
from analysis.errors import CouldNotCollect
from analysis.stages.contract import Later, Product
from core.errors import Problem, VendorBusy
from social import platforms
from social.collecting import Failed, Progress, collect, collect_comments, collect_recent
from social.errands import RETRY_REST
from social.facts import AuthorAddress, PostAddress
from social.models import Post

# How long the post's companions are waited for. A vendor's job takes a minute or three; after this the explanation
# does without, and says so.
COMPANIONS_WAIT = 300.0


class Collect:
    """Waits for vendors in the row: a job of theirs may take minutes."""

    name: ClassVar[str] = "collect"
    queue: ClassVar[str] = "io"
    patience: ClassVar[float] = 240.0
    waits: ClassVar[float] = 1500.0
    most_tries: ClassVar[int] = 4
    begins: ClassVar[tuple[str, str]] = ("fetching_posts", "The post is being fetched.")
    ends: ClassVar[tuple[str, str] | None] = ("social_data_fetched", "The post, its numbers and its comments are here.")
    progress: ClassVar[int] = 30

    def run(self, work: Work) -> Product | Later:
        address = platforms.address(work.platform, work.platform_post_id)
        collected = collect([address], user_id=work.user_id)
        if failed := collected.failed.get(address):
            raise _problem(failed, self.waits - work.waited.total_seconds())
        if address in collected.waiting:
            return Later(seconds=collected.retry_in)
        stored = collected.stored[address]
        waiting = [each.retry_in for each in _companions(work, address) if each.state == "waiting"]
        if waiting and work.waited.total_seconds() < COMPANIONS_WAIT:
            return Later(seconds=min(waiting))
        return Product(post_id=stored.post_id, reused=stored.collected_at < work.asked_at)


def _problem(failed: Failed, seconds_left: float) -> Problem:
    """A vendor that said when to come again is waited for, unless that is later than this stage may wait."""
    if failed.retry_after is not None and failed.retry_after < seconds_left:
        return VendorBusy(retry_after=failed.retry_after)
    # Sooner it would only be told the same again: what failed rests for a while.
    return CouldNotCollect(code=failed.code, retryable=failed.retryable, retry_after=RETRY_REST.total_seconds())


def _companions(work: Work, address: PostAddress) -> list[Progress]:
    post = Post.objects.only("platform_id", "author", "author_id").get(
        platform=address.platform, platform_post_id=address.post_id
    )
    companions = [collect_comments(address, user_id=work.user_id)]
    if post.author or post.author_id:
        author = AuthorAddress(platform=post.platform_id, handle=post.author, author_id=post.author_id)
        companions.append(collect_recent(author, user_id=work.user_id))
    return companions
