"""What the environment says of those who take payments for us."""

from config.env import env

DODO_API_KEY = env.str("DODO_API_KEY", default="")
# Without it, the address that the SDK knows for the mode.
DODO_URL = env.str("DODO_URL", default="").rstrip("/")
# Dodo's own SDK would charge real cards unless told otherwise.
DODO_LIVE = env.bool("DODO_LIVE", default=False)
# Several while one is being changed: the old one signs for 24 hours more.
DODO_WEBHOOK_SECRET: list[str] = [
    secret.strip() for secret in env.list("DODO_WEBHOOK_SECRET", default=[]) if secret.strip()
]
