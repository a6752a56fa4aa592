"""What the environment says of the outside services that posts are collected with, and how often each may be asked."""

from typing import Any

from config.env import env, local_dir, uses_embedded_servers

BRIGHTDATA_API_KEY = env.str("BRIGHTDATA_API_KEY", default="")
BRIGHTDATA_URL = env.str("BRIGHTDATA_URL", default="https://api.brightdata.com").rstrip("/")
# Which of BrightData's datasets answers what: they are renamed from time to time.
BRIGHTDATA_DATASETS = {
    "instagram_profiles": "gd_l1vikfch901nx3by4",
    "instagram_posts": "gd_lk5ns7kz21pck8jpis",
    "instagram_reels": "gd_lyclm20il4r5helnj",
    "instagram_comments": "gd_ltppn085pokosxh13",
    "x_posts": "gd_lwxkxvnf1cynvib9co",
    "youtube_videos": "gd_lk56epmy2i5g7lzu0k",
    "youtube_comments": "gd_lk9q0ew71spt1mxywf",
} | dict(pair.split("=", 1) for pair in env.list("BRIGHTDATA_DATASETS", default=[]))
# In the path and the header of the address BrightData tells us of finished jobs at; without it we only ask.
BRIGHTDATA_WEBHOOK_TOKEN = env.str("BRIGHTDATA_WEBHOOK_TOKEN", default="")
TWITTERAPI_KEY = env.str("TWITTERAPI_KEY", default="")
TWITTERAPI_URL = env.str("TWITTERAPI_URL", default="https://api.twitterapi.io").rstrip("/")
YOUTUBE_API_KEY = env.str("YOUTUBE_API_KEY", default="")
YOUTUBE_API_URL = env.str("YOUTUBE_API_URL", default="https://www.googleapis.com/youtube/v3").rstrip("/")
YTDLP_PROXY = env.str("YTDLP_PROXY", default="")

# Posts written for this project: for a bare machine, never among those of real people.
SAMPLE_POSTS = uses_embedded_servers()
SAMPLES = ["samples"] if SAMPLE_POSTS else []
# Who is asked, in this order, until one knows; whoever has no key is passed over.
SCRAPERS: dict[str, list[str]] = {
    "instagram": env.list("SCRAPERS_INSTAGRAM", default=[*SAMPLES, "brightdata", "ytdlp"]),
    "x": env.list("SCRAPERS_X", default=[*SAMPLES, "twitterapi", "brightdata", "ytdlp"]),
    "youtube": env.list("SCRAPERS_YOUTUBE", default=[*SAMPLES, "youtube_api", "ytdlp", "brightdata"]),
}
# How often each may be asked by all our workers together: requests and seconds.
VENDOR_BUDGETS: dict[str, tuple[int, float]] = {
    "brightdata": (env.int("BRIGHTDATA_REQUESTS_PER_MINUTE", default=120), 60),
    "twitterapi": (env.int("TWITTERAPI_REQUESTS_PER_SECOND", default=15), 1),
    "youtube_api": (env.int("YOUTUBE_API_REQUESTS_PER_SECOND", default=20), 1),
    "ytdlp": (env.int("YTDLP_RUNS_PER_MINUTE", default=30), 60),
    # The platforms themselves, for links that only lead to a post: more than a person clicks, less than a robot does.
    "instagram": (60, 60),
    "x": (60, 60),
    "gemini": (env.int("GEMINI_REQUESTS_PER_MINUTE", default=300), 60),
    "openai_compatible": (env.int("SELF_HOSTED_LLM_REQUESTS_PER_MINUTE", default=300), 60),
}
# How many of all our workers are at a vendor at once, and after how many seconds somebody who died there is forgotten.
VENDOR_TURNS: dict[str, tuple[int, int]] = {
    # 25 answers of 429 in five minutes and our address is banned: these, and one after each rest, stay well below.
    "brightdata": (5, 90),
    # About as many as a second's budget: where answers get slow, no more pile up. Longer than one call may take.
    "twitterapi": (20, 30),
    "youtube_api": (20, 30),
    "instagram": (4, 30),
    "x": (4, 30),
    "ytdlp": (env.int("YTDLP_AT_ONCE", default=4), 300),
    "gemini": (env.int("GEMINI_AT_ONCE", default=64), 600),
    "openai_compatible": (env.int("SELF_HOSTED_LLM_AT_ONCE", default=64), 600),
}
YOUTUBE_API_UNITS_PER_DAY = env.int("YOUTUBE_API_UNITS_PER_DAY", default=10_000)

POST_FRESHNESS_HOURS = env.int("POST_FRESHNESS_HOURS", default=6)
RECENT_POSTS = env.int("RECENT_POSTS", default=20)
COMMENTS_PER_POST = env.int("COMMENTS_PER_POST", default=100)
RAW_RECORD_DAYS = env.int("RAW_RECORD_DAYS", default=30)

SUPABASE_URL = env.str("SUPABASE_URL", default="").rstrip("/")
SUPABASE_SECRET_KEY = env.str("SUPABASE_SECRET_KEY", default="")
SUPABASE_BUCKET = env.str("SUPABASE_BUCKET", default="media")
MEDIA_ROOT = env.str("MEDIA_ROOT", default=str(local_dir() / "media"))
MEDIA_LINK_SECONDS = env.int("MEDIA_LINK_SECONDS", default=3600)
MEDIA_DAYS = env.int("MEDIA_DAYS", default=90)
IMAGE_MAX_BYTES = env.int("IMAGE_MAX_MB", default=30) * 1024 * 1024
VIDEO_MAX_BYTES = env.int("VIDEO_MAX_MB", default=300) * 1024 * 1024
VIDEO_MAX_SECONDS = env.int("VIDEO_MAX_SECONDS", default=1800)
FRAMES_PER_VIDEO = env.int("FRAMES_PER_VIDEO", default=12)
MEDIA_STORAGE: dict[str, Any] = {
    "BACKEND": "social.storage.supabase.SupabaseStorage" if SUPABASE_URL else "social.storage.disk.DiskStorage"
}

TRANSCRIBERS = env.list("TRANSCRIBERS", default=["captions", "faster_whisper", "openai_whisper"])
# A name that has been fetched before ("small"), or a folder or file that holds the model.
WHISPER_MODEL = env.str("WHISPER_MODEL", default="small")
WHISPER_DEVICE = env.str("WHISPER_DEVICE", default="auto")
# May the model be fetched from its hub when it is not there? In production it should be there.
WHISPER_DOWNLOAD = env.bool("WHISPER_DOWNLOAD", default=False)
