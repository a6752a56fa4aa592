"""How a vendor is spared, by all our workers together: a rate budget, and a breaker that opens when it fails.

twitterapi = Vendor("twitterapi")
answer = twitterapi.request(operation="tweets", url=..., headers=...)     # core.http.request, spared
with ytdlp.spared():                                                      # around anything else
    ...
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from core import http


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor: VendorBusy, with `retry_after`, while its budget is used up or its breaker is open."""

    name: str

    def request(self, **call: Any) -> http.Answer:
        with self.spared():
            return http.request(vendor=self.name, **call)

    @contextmanager
    def spared(self) -> Iterator[None]:
        # To be completed: takes one of settings.VENDOR_BUDGETS[name], looks at the breaker, tells it how it went.
        yield
