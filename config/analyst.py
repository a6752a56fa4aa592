"""What the environment says of the models that explain posts and answer in chats."""

from django.core.exceptions import ImproperlyConfigured

from config.env import env, within

# What the columns hold that say which model has answered.
LONGEST_MODEL = 80


def model(name: str) -> str:
    """Refused at the start where it is too long: found out later, it would take every answer's end."""
    if len(name) > LONGEST_MODEL:
        raise ImproperlyConfigured(f"A model's name has at most {LONGEST_MODEL} characters, unlike {name!r}.")
    return name


# Google's limits are per project: keys of one project share them, so only those of several projects help each other.
GEMINI_API_KEYS: list[str] = list(
    dict.fromkeys(
        key.strip()
        for name in ("GEMINI_API_KEY", *(f"GEMINI_API_KEY_{number}" for number in range(1, 6)))
        for key in env.list(name, default=[])
        if key.strip()
    )
)
GEMINI_URL = env.str("GEMINI_URL", default="https://generativelanguage.googleapis.com").rstrip("/")
GEMINI_ANALYSIS_MODEL = model(env.str("GEMINI_ANALYSIS_MODEL", default="gemini-3.8-flash"))
GEMINI_CHAT_MODEL = model(env.str("GEMINI_CHAT_MODEL", default="gemini-3.5-flash-lite"))

SELF_HOSTED_LLM_URL = env.str("SELF_HOSTED_LLM_URL", default="").rstrip("/")
SELF_HOSTED_LLM_KEY = env.str("SELF_HOSTED_LLM_KEY", default="")
SELF_HOSTED_LLM_MODEL = model(env.str("SELF_HOSTED_LLM_MODEL", default="default"))
SELF_HOSTED_LLM_SEES = env.bool("SELF_HOSTED_LLM_SEES", default=False)

# How long a model may take for one answer, uploads and streams included; the patience of whoever asks follows from it.
MODEL_SECONDS = env.int("MODEL_SECONDS", default=120)

# How long a post is held without a sign of life of its worker: a third of it passes between two signs.
ANALYSIS_LEASE_SECONDS = env.float("ANALYSIS_LEASE_SECONDS", default=30.0)
# Who explains, in this order, until one answers; whoever has no key is passed over. The rules always answer.
ANALYSIS_PROVIDERS = env.list("ANALYSIS_PROVIDERS", default=["gemini", "openai_compatible", "rules"])
# A video that is no longer than this is shown whole to a model that watches: YouTube's by address, others as kept.
ANALYSIS_VIDEO_SECONDS = env.int("ANALYSIS_VIDEO_SECONDS", default=180)

# The same for answers in a chat; and how long a request for a whole answer is kept waiting for it.
CHAT_PROVIDERS = env.list("CHAT_PROVIDERS", default=["gemini", "openai_compatible", "rules"])
CHAT_WAIT_SECONDS = env.float("CHAT_WAIT_SECONDS", default=25.0)
# How much a model is told for an answer: by default all evidence that a post can have, and some talk. In less than
# 8,000 there is no room for a line of each item.
CHAT_PROMPT_TOKENS = max(env.int("CHAT_PROMPT_TOKENS", default=64_000), 8_000)

# Where the verdict draws its lines; why there, is said in analysis/comparing/baseline.py and docs/decisions/0024.
VERDICT = {
    "over": within(1, 1_000, "VERDICT_OVER", env.float("VERDICT_OVER", default=2.0)),
    "under": within(0, 1, "VERDICT_UNDER", env.float("VERDICT_UNDER", default=0.5)),
    "least_posts": env.int("VERDICT_LEAST_POSTS", default=3),
    "most_posts": env.int("VERDICT_MOST_POSTS", default=30),
    "mature_share": within(0, 1, "VERDICT_MATURE_SHARE", env.float("VERDICT_MATURE_SHARE", default=0.75)),
    "spread": within(0, 1_000, "VERDICT_SPREAD", env.float("VERDICT_SPREAD", default=1.5)),
    "furthest": within(1, 1_000, "VERDICT_FURTHEST", env.float("VERDICT_FURTHEST", default=5.0)),
    "chance": within(0, 1_000, "VERDICT_CHANCE", env.float("VERDICT_CHANCE", default=3.0)),
}
