"""What the environment says of those through whom we are paid."""

from config.env import env

STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_URL = env.str("STRIPE_URL", default="https://api.stripe.com").rstrip("/")
# A charge waits for the bank; whoever gives up sooner does not know whether there was one.
STRIPE_SECONDS = env.float("STRIPE_SECONDS", default=30.0)
# Two for the day on which it is changed.
STRIPE_WEBHOOK_SECRET = env.list("STRIPE_WEBHOOK_SECRET", default=[])

DODO_API_KEY = env.str("DODO_API_KEY", default="")
# Without it, the address that the SDK knows for the mode.
DODO_URL = env.str("DODO_URL", default="").rstrip("/")
# Dodo's own SDK would charge real cards unless told otherwise.
DODO_LIVE = env.bool("DODO_LIVE", default=False)
# How long one call may take.
DODO_SECONDS = env.float("DODO_SECONDS", default=30.0)
# Several while one is being changed: the old one signs for 24 hours more.
DODO_WEBHOOK_SECRET = env.list("DODO_WEBHOOK_SECRET", default=[])

# How long an unpaid renewal is waited for where its provider sets no limit of its own.
BILLING_GRACE_DAYS = env.int("BILLING_GRACE_DAYS", default=7)
# What becomes of a plan whose latest payment went back as a whole, or was lost in a dispute: "keep" or "end".
ACCESS_AFTER_REFUND = env.str("ACCESS_AFTER_REFUND", default="keep", choices=("keep", "end"))
# How long the body of a webhook is kept beside what it was about.
WEBHOOK_BODY_DAYS = env.int("WEBHOOK_BODY_DAYS", default=30)
# How long an event is held by the worker that looks at what it names; then another one may.
BILLING_LEASE_SECONDS = env.float("BILLING_LEASE_SECONDS", default=120.0)
