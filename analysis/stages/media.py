"""The post's pictures and video, kept in our storage with frames. What cannot be kept is gone without."""

from typing import ClassVar

from analysis.engine import Work
from analysis.stages.contract import Later, Product
from core.errors import VendorUnavailable
from social.media.keep import keep_media
from social.models import PostMedia

# A picture that does not come now may come in a moment; an explanation does not wait for it for long.
MOST_TRIES = 2


class KeepMedia:
    """Whatever decodes does so in a process of its own, so this may run on a thread."""

    name: ClassVar[str] = "media"
    queue: ClassVar[str] = "io"
    patience: ClassVar[float] = 1200.0
    waits: ClassVar[float] = 1200.0
    most_tries: ClassVar[int] = 3
    begins: ClassVar[tuple[str, str]] = ("collecting_media", "Pictures and video are being kept.")
    ends: ClassVar[tuple[str, str] | None] = None
    progress: ClassVar[int] = 50

    def run(self, work: Work) -> Product | Later:
        media = PostMedia.objects.filter(post=work.known_post, kind__in=("image", "thumbnail", "video"))
        if not media.exclude(state=PostMedia.State.STORED).exists():
            return Product(reused=True)
        kept = keep_media(work.known_post)
        if kept.retryable and work.tries < MOST_TRIES:
            raise VendorUnavailable(details=kept.failed)
        return Product()
