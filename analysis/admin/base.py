"""What the pages of analyses have in common: how a state and a cost are told, and how an address is looked up."""

from typing import Any

from django.contrib import admin
from django.db.models import Q
from unfold.decorators import display

from analysis.admin import shown
from analysis.errors import CATEGORIES
from core.admin import ReadOnlyAdmin
from social.errors import AddressInvalid
from social.platforms import parse_post_url

TONES = {
    "PENDING": "info", "PROCESSING": "info", "COMPLETED": "success", "FAILED": "danger", "CANCELLED": "warning",
}  # fmt: skip
ERROR_CATEGORIES = sorted({*CATEGORIES.values(), "vendor_error"})
# Found by an address, or by whom it is of: the newest.
MOST_FOUND = 200


class AnalysisAdmin(ReadOnlyAdmin):
    """A page that tells how far something is and what it cost."""

    @display(description="status", label=TONES)
    def state(self, row: Any) -> str:
        return str(row.status)

    @admin.display(description="cost")
    def cost(self, row: Any) -> str:
        return shown.dollars(row.cost_micros)


def analyses_at(term: str) -> Q | None:
    """Those of the post that an address names. None: no address."""
    try:
        post = parse_post_url(term)
    except AddressInvalid:
        return None
    return Q(platform=post.platform, platform_post_id=post.post_id)
