"""What the environment says of those through whom we are paid."""

from config.env import env

STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_URL = env.str("STRIPE_URL", default="https://api.stripe.com").rstrip("/")
# Two for the day on which it is changed.
STRIPE_WEBHOOK_SECRET = env.list("STRIPE_WEBHOOK_SECRET", default=[])
