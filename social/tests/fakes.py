"""A scraper that answers what a test says."""

from typing import ClassVar

from social import platforms
from social.facts import Author, CommentSample, Found, Lost, Metrics, ScrapedComment, ScrapedPost

ADDRESS = platforms.address("x", "1839019491835129889")
OTHER = platforms.address("x", "20")


def post(address, **more):
    return ScrapedPost(address=address, author=Author(handle="jack"), metrics=Metrics(likes=7), **more)


class Fake:
    """A scraper that answers what the test says, and remembers what it was asked."""

    name: ClassVar[str] = "first"
    batch: ClassVar[int] = 100
    gathers: ClassVar[float] = 0
    patience: ClassVar[float] = 60
    answers: ClassVar[list] = []
    asked: ClassVar[list] = []

    def offers(self, platform, kind):
        return True

    def collect(self, addresses, *, job=""):
        self.asked.append(([address.post_id for address in addresses], job))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            return answer(addresses)
        return answer or [Found(address=address, post=post(address)) for address in addresses]

    def recent_posts(self, author, *, limit, job=""):
        self.asked.append((author, job))
        return [post(OTHER, listed=True), post(ADDRESS, listed=True)][:limit]

    def comments(self, address, *, limit, job=""):
        self.asked.append((address, job))
        return CommentSample(comments=(ScrapedComment(comment_id="1", text="part 2?"),), total=40)


def lost(state="failed", **more):
    return lambda addresses: [Lost(state=state, address=address, **more) for address in addresses]
