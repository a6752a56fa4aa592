"""Every way in which Whyral can refuse or fail, as one tree.

    Problem                          500  internal
    ├── Invalid                      400  invalid
    │   └── Malformed                400  malformed
    ├── Unauthenticated              401  unauthenticated
    ├── LimitReached                 402  usage_limit_reached
    ├── Forbidden                    403  forbidden
    ├── Missing                      404  not_found
    ├── Conflict                     409  conflict
    │   └── HandledElsewhere         409  handled_by_identity_provider
    ├── TooLarge                     413  too_large
    ├── TooMany                      429  rate_limited             retryable
    ├── Unavailable                  503  unavailable              retryable
    │   ├── DatabaseUnavailable      503  database_unavailable     retryable
    │   └── LimitsUnavailable        503  limits_unavailable       retryable
    ├── NotConfigured                503  not_configured
    └── VendorProblem                503  vendor_unavailable
        ├── VendorUnavailable        503  vendor_unavailable       retryable
        │   ├── VendorTimeout        503  vendor_timeout           retryable
        │   └── VendorBusy           503  vendor_busy              retryable
        ├── VendorRefused            503  vendor_refused
        ├── VendorAnswerInvalid      503  vendor_answer_invalid
        ├── VendorAnswerTooLarge     503  vendor_answer_too_large
        └── AddressRefused           400  address_refused

The class says what a caller must know: the `code` a program branches on, the HTTP `status`, and whether trying
again may help. The first line of the docstring is the message a person reads when nothing better is given.
"""

from typing import Any


class Problem(Exception):
    """Something went wrong on our side. It has been recorded."""

    code = "internal"
    status = 500
    retryable = False

    def __init__(
        self,
        message: str | None = None,
        *,
        details: dict[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.details = details or {}
        self.retry_after = retry_after
        super().__init__(self.message)


class Invalid(Problem):
    """The request is not valid."""

    code = "invalid"
    status = 400


class Malformed(Invalid):
    """The body is not valid JSON."""

    code = "malformed"


class Unauthenticated(Problem):
    """Sign in first: the request carries no valid token."""

    code = "unauthenticated"
    status = 401


class LimitReached(Problem):
    """Your plan's limit for today is reached."""

    code = "usage_limit_reached"
    status = 402


class Forbidden(Problem):
    """You may not do this."""

    code = "forbidden"
    status = 403


class Missing(Problem):
    """There is nothing here."""

    code = "not_found"
    status = 404


class Conflict(Problem):
    """The request conflicts with the present state."""

    code = "conflict"
    status = 409


class HandledElsewhere(Conflict):
    """The identity provider handles this."""

    code = "handled_by_identity_provider"


class TooLarge(Problem):
    """The body is too large."""

    code = "too_large"
    status = 413


class TooMany(Problem):
    """Too many requests. Please wait a little."""

    def __init__(
        self,
        message: str | None = None,
        *,
        details: dict[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        if retry_after is not None:
            seconds = max(1, round(retry_after))
            unit = "second" if seconds == 1 else "seconds"
            message = message or f"Too many requests. Please wait {seconds} {unit}."
            details = {**(details or {}), "retry_after": seconds}
        super().__init__(message, details=details, retry_after=retry_after)

    code = "rate_limited"
    status = 429
    retryable = True


class Unavailable(Problem):
    """The service cannot answer just now. Please try again shortly."""

    code = "unavailable"
    status = 503
    retryable = True


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached just now. Please try again shortly."""

    code = "database_unavailable"


class LimitsUnavailable(Unavailable):
    """Attempts cannot be counted just now, so this is closed for a moment. Please try again shortly."""

    code = "limits_unavailable"


class NotConfigured(Problem):
    """This part of the service is not configured."""

    code = "not_configured"
    status = 503


class VendorProblem(Problem):
    """An outside service failed us."""

    code = "vendor_unavailable"
    status = 503


class VendorUnavailable(VendorProblem):
    """An outside service is not available just now."""

    retryable = True


class VendorTimeout(VendorUnavailable):
    """An outside service took too long to answer."""

    code = "vendor_timeout"


class VendorBusy(VendorUnavailable):
    """An outside service asks us to slow down."""

    code = "vendor_busy"


class VendorRefused(VendorProblem):
    """An outside service refused our request."""

    code = "vendor_refused"


class VendorAnswerInvalid(VendorProblem):
    """An outside service gave an answer that cannot be read."""

    code = "vendor_answer_invalid"


class VendorAnswerTooLarge(VendorProblem):
    """An outside service gave an answer that is too large."""

    code = "vendor_answer_too_large"


class AddressRefused(VendorProblem):
    """This address may not be visited."""

    code = "address_refused"
    status = 400


# After these nobody knows whether what was asked for is done: a gateway gives up while a server behind it works on.
UNCLEAR = (VendorUnavailable, VendorAnswerInvalid, VendorAnswerTooLarge)
