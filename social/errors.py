"""Ways in which an address, a post or its media can fail us; they join the tree in core/errors.py.

Invalid
└── AddressInvalid               400  invalid_address, or a code that says more
VendorProblem
├── JobFailed                    503  job_failed               retryable
└── MediaRefused                 400  media_refused
    ├── MediaTooLarge            400  media_too_large
    └── MediaUnreadable          400  media_unreadable
"""

from typing import Any

from core.errors import Invalid, VendorProblem


class AddressInvalid(Invalid):
    """This is not the address of a post."""

    code = "invalid_address"

    def __init__(self, message: str | None = None, *, code: str = "", **more: Any) -> None:
        super().__init__(message, **more)
        # Why it is none: profile, playlist, story, share_link, look_alike, other_site ...
        self.code = code or self.code


class JobFailed(VendorProblem):
    """An outside service gave up on what it was asked for."""

    code = "job_failed"
    retryable = True


class MediaRefused(VendorProblem):
    """This file is nothing that we keep."""

    code = "media_refused"
    status = 400


class MediaTooLarge(MediaRefused):
    """This file is larger or longer than we keep."""

    code = "media_too_large"


class MediaUnreadable(MediaRefused):
    """This file cannot be read."""

    code = "media_unreadable"
