"""The parts that work without a key, and the variable that switches each one to the real thing."""

import os
from dataclasses import dataclass

from config.stand_ins import SHOPS, plays_shop


@dataclass(frozen=True, slots=True)
class Part:
    """One part: what it runs on by itself, and what it runs on when any of its variables is set."""

    name: str
    app: str
    default: str
    real: str
    switches: tuple[str, ...]
    # What it runs on instead of its default, where the sandbox sells unasked.
    played: str = ""

    @property
    def by_itself(self) -> str:
        return self.played if self._is_played else self.default

    @property
    def switched_by(self) -> str | None:
        return None if self._is_played else next((name for name in self.switches if os.environ.get(name)), None)

    @property
    def _is_played(self) -> bool:
        return bool(self.played) and plays_shop()


# In the order of the banner. A part is spoken of once the app that holds it is installed.
PARTS = (
    Part("database", "core", "PostgreSQL 18, embedded", "your PostgreSQL", ("DATABASE_URL", "SUPABASE_DB_URL")),
    Part("redis", "core", "Redis, embedded", "your Redis", ("REDIS_URL",)),
    Part("identity", "accounts", "e-mail and password, JWT", "Clerk", ("CLERK_SECRET_KEY",)),
    Part("mail", "accounts", "printed here", "your mail server", ("EMAIL_URL",)),
    Part("errors", "core", "in the log", "Sentry", ("SENTRY_DSN",)),
    Part("Instagram", "social", "samples, yt-dlp", "BrightData", ("BRIGHTDATA_API_KEY",)),
    Part("X", "social", "samples, yt-dlp", "TwitterAPI.io", ("TWITTERAPI_KEY",)),
    Part("YouTube", "social", "samples, yt-dlp", "YouTube Data API", ("YOUTUBE_API_KEY",)),
    Part("media", "social", "files on disk", "Supabase Storage", ("SUPABASE_URL",)),
    Part("analysis", "analysis", "the rule-based analyst", "a model", ("GEMINI_API_KEY", "SELF_HOSTED_LLM_URL")),
    Part("payments", "billing", "nothing is sold", "a provider", SHOPS, played="the sandbox's checkout"),
)


def installed_parts(apps: set[str]) -> list[Part]:
    return [part for part in PARTS if part.app in apps]
