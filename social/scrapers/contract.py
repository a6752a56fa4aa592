"""What every scraper does, whatever it scrapes with."""

from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol

from social.facts import AuthorAddress, CommentSample, Lost, NotReady, Outcome, PostAddress, ScrapedPost

Kind = Literal["post", "recent", "comments"]


class Scraper(Protocol):
    """One vendor. Stateless: what is to be remembered between two calls is in the job, and the caller keeps that.

    A call makes its vendor's requests within `seconds` in all. An address that gives nothing is a Lost among the
    outcomes, and harms no other; a call that failed as a whole raises an error of core.errors.
    """

    name: ClassVar[str]  # in SCRAPERS and in the settings
    batch: ClassVar[int]  # how many addresses one call takes
    gathers: ClassVar[float]  # seconds to wait for more addresses where a batch is cheaper; 0 where it is not
    patience: ClassVar[float]  # seconds until a job that is never ready is given up

    def offers(self, platform: str, kind: Kind) -> bool:
        """Whether it can be asked for this at all, and is configured."""

    def collect(self, addresses: Sequence[PostAddress], *, job: str = "") -> list[Outcome] | NotReady:
        """One outcome for each address, in any order. All are of one platform."""

    def recent_posts(self, author: AuthorAddress, *, limit: int, job: str = "") -> list[ScrapedPost] | Lost | NotReady:
        """The author's latest posts, newest first."""

    def comments(self, post: PostAddress, *, limit: int, job: str = "") -> CommentSample | Lost | NotReady:
        """Comments of a post, those the platform puts first."""
