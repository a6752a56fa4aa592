"""A link that only leads to a post: it is asked where to, and from then on the post is what it leads to."""

from typing import ClassVar

from django.db import IntegrityError, transaction

from analysis.engine import Work
from analysis.errors import SamePost
from analysis.models import PostAnalysis
from analysis.stages.contract import Later, Product
from social import platforms
from social.platforms import redirects


class Resolve:
    """Only for what could not be read as a post's address; all others begin after it."""

    name: ClassVar[str] = "resolve"
    queue: ClassVar[str] = "io"
    patience: ClassVar[float] = 60.0
    waits: ClassVar[float] = 300.0
    most_tries: ClassVar[int] = 3
    begins: ClassVar[tuple[str, str]] = ("fetching_posts", "The link is being followed.")
    ends: ClassVar[tuple[str, str] | None] = None
    progress: ClassVar[int] = 5

    def run(self, work: Work) -> Product | Later:
        found = redirects.resolve(work.url)
        address = platforms.address(found.platform, found.post_id)
        ours = PostAnalysis.objects.filter(pk=work.id, fence=work.fence)
        try:
            with transaction.atomic():
                ours.update(platform=address.platform, platform_post_id=address.post_id, url=address.url)
        except IntegrityError:
            # Another address of the same request is this post already.
            raise SamePost from None
        return Product(address=address)
