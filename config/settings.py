"""Every setting, read from the environment once."""

import logging
import logging.config
from datetime import timedelta
from pathlib import Path

from corsheaders.defaults import default_headers

from config.description import DESCRIPTION
from config.desk.look import LOOK
from config.env import (
    BASE_DIR,
    EMBEDDED_BROKER_URL,
    EMBEDDED_REDIS_URL,
    check_production,
    databases,
    development_secret,
    env,
    local_dir,
)
from config.logs import logging_config, start_sentry
from config.schedule import QUEUES, ROUTES, SCHEDULE, TRANSPORT

# isort: off
from config.analyst import (  # noqa: F401  (settings like all others; they fill files of their own)
    ANALYSIS_LEASE_SECONDS, ANALYSIS_PROVIDERS, ANALYSIS_VIDEO_SECONDS, CHAT_PROMPT_TOKENS, CHAT_PROVIDERS,
    CHAT_WAIT_SECONDS, GEMINI_ANALYSIS_MODEL, GEMINI_API_KEYS, GEMINI_CHAT_MODEL, GEMINI_URL, MODEL_SECONDS,
    SELF_HOSTED_LLM_KEY, SELF_HOSTED_LLM_MODEL, SELF_HOSTED_LLM_SEES, SELF_HOSTED_LLM_URL, VERDICT,
)  # fmt: skip
from config.money import (  # noqa: F401
    ACCESS_AFTER_REFUND, BILLING_GRACE_DAYS, BILLING_LEASE_SECONDS, DODO_API_KEY, DODO_LIVE, DODO_SECONDS, DODO_URL,
    DODO_WEBHOOK_SECRET, STRIPE_SECONDS, STRIPE_SECRET_KEY, STRIPE_URL, STRIPE_WEBHOOK_SECRET, WEBHOOK_BODY_DAYS,
)  # fmt: skip
from config.vendors import (  # noqa: F401
    BRIGHTDATA_API_KEY, BRIGHTDATA_DATASETS, BRIGHTDATA_URL, BRIGHTDATA_WEBHOOK_TOKEN, COMMENTS_PER_POST,
    FRAMES_PER_VIDEO, IMAGE_MAX_BYTES, MEDIA_DAYS, MEDIA_LINK_SECONDS, MEDIA_ROOT, MEDIA_STORAGE,
    POST_FRESHNESS_HOURS, RAW_RECORD_DAYS, RECENT_POSTS, SAMPLE_POSTS, SCRAPERS, SUPABASE_BUCKET, SUPABASE_SECRET_KEY,
    SUPABASE_URL, TRANSCRIBERS, TWITTERAPI_KEY, TWITTERAPI_URL, VENDOR_BUDGETS, VENDOR_TURNS,
    VIDEO_MAX_BYTES, VIDEO_MAX_SECONDS, WHISPER_DEVICE, WHISPER_DOWNLOAD, WHISPER_MODEL, YOUTUBE_API_KEY,
    YOUTUBE_API_UNITS_PER_DAY, YOUTUBE_API_URL, YTDLP_PROXY,
)  # fmt: skip
# isort: on

DEBUG = env.bool("DEBUG", default=False)
if not DEBUG:
    check_production()

SECRET_KEY = env.str("SECRET_KEY", default="") or development_secret()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
# In development a tunnel gives this machine a public name for webhooks; only these services' names are let in.
TUNNEL_DOMAINS = (".ngrok-free.app", ".ngrok.app", ".ngrok.io", ".trycloudflare.com", ".loca.lt")
if DEBUG:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]", ".localhost", *TUNNEL_DOMAINS]
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://localhost:{env.str('PORT', default='8000')}").rstrip("/")
# Where the single-page app lives: the links in mails lead there.
APP_URL = env.str("APP_URL", default=PUBLIC_URL).rstrip("/")
# How many proxies of ours stand in front: that many entries at the end of X-Forwarded-For can be believed.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_structlog",
    "django_celery_beat",
    "django_celery_results",
    "config.apps.WhyralConfig",
    "core",
    "logs",
    "accounts",
    "social",
    "billing",
    "analysis",
    "analytics",
    "feedback",
]

MIDDLEWARE = [
    *(["config.middleware.TunnelHostMiddleware"] if DEBUG else []),
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.metrics.MetricsMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "core.requests.RequestTrackingMiddleware",
    "analytics.middleware.APITrackingMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# What is out there: the database, Redis, the broker

DATABASES = databases()
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.str("REDIS_URL", default="") or EMBEDDED_REDIS_URL
# A hung Redis may hold a request up for this long once; then it is left alone for a moment (core/redis.py).
REDIS_TIMEOUT_SECONDS = 0.4

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or env.str("REDIS_URL", default="") or EMBEDDED_BROKER_URL
CELERY_RESULT_BACKEND = "config.results:Results"
CELERY_RESULT_EXTENDED = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = True
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_IMPORTS = ["config.heartbeat"]
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_QUEUES: dict[str, dict[str, str]] = {name: {} for name in QUEUES}
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ROUTES = ROUTES
# A message is given back when its worker dies; rows, leases and the sweepers cover what even that loses.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20.0
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_SOFT_TIME_LIMIT = 120
CELERY_TASK_TIME_LIMIT = 150
CELERY_BROKER_TRANSPORT_OPTIONS = TRANSPORT
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}
CELERY_BROKER_POOL_ACQUIRE_TIMEOUT = 2
CELERY_BEAT_SCHEDULER = "config.beat:Scheduler"
CELERY_BEAT_SCHEDULE = SCHEDULE
# Who may come in

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in {
        "UserAttributeSimilarityValidator": {"user_attributes": ("email", "full_name", "company_name")},
        "MinimumLengthValidator": {"min_length": 10},
        "CommonPasswordValidator": {},
        "NumericPasswordValidator": {},
    }.items()
]
PASSWORD_RESET_TIMEOUT = 3600
EMAIL_VERIFICATION_TIMEOUT = 3 * 24 * 3600

CLERK_SECRET_KEY = env.str("CLERK_SECRET_KEY", default="")
CLERK_PUBLISHABLE_KEY = env.str("CLERK_PUBLISHABLE_KEY", default="")
CLERK_WEBHOOK_SECRET = env.str("CLERK_WEBHOOK_SECRET", default="")
CLERK_AUTHORIZED_PARTIES = env.list("CLERK_AUTHORIZED_PARTIES", default=[])
# A PEM key checks tokens without any call to Clerk; without one its JWKS is fetched and kept.
CLERK_JWT_KEY = env.str("CLERK_JWT_KEY", default="", multiline=True)
CLERK_API_URL = env.str("CLERK_API_URL", default="https://api.clerk.com").rstrip("/")
IDENTITY_PROVIDER = "clerk" if CLERK_SECRET_KEY else "local"

SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "ALGORITHM": "HS256",
    "ISSUER": "whyral",
    "USER_ID_CLAIM": "sub",
}

CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_ALLOWED_ORIGIN_REGEXES = [r"^http://(localhost|127\.0\.0\.1):\d+$"] if DEBUG else []
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key", "last-event-id", "x-request-id"]
CORS_EXPOSE_HEADERS = [
    "X-Request-ID", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Idempotent-Replay",
]  # fmt: skip

# The API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["core.wire.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.wire.JSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["core.throttling.ApiThrottle"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "core.wire.OnlyJSON",
    "DEFAULT_SCHEMA_CLASS": "core.schema.Schema",
    "EXCEPTION_HANDLER": "core.api.answer_problem",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
# Largest JSON body in bytes; a real one is a few hundred.
MAX_BODY_BYTES = 256 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
# Requests and seconds. `api` is per user (or per address where nobody is signed in) and fails open without Redis, so
# does `billing` (0004); the others guard passwords and mailboxes, count per address and per account, and fail closed.
THROTTLES = {
    "api": (env.int("API_REQUESTS_PER_MINUTE", default=600), 60),
    "analysis": (20, 3600),
    "chat": (100, 3600),
    "feedback": (20, 3600),
    "billing": (30, 60),
    "signup-address": (20, 3600),
    "signup-account": (5, 3600),
    "login-address": (60, 900),
    "login-account": (10, 900),
    "login-account-address": (5, 900),
    "mail-address": (20, 3600),
    "mail-account": (5, 3600),
}
IDEMPOTENCY_HOURS = 24
# Where rows of logs wait for the shipper, and how much room they may take there.
SPOOL_DIR = Path(env.str("SPOOL_DIR", default=str(local_dir() / "spool")))
SPOOL_MAX_BYTES = env.int("SPOOL_MAX_MB", default=1024) * 1024 * 1024
# The log tables, partitioned by month, and how many whole months of each are kept besides the current one.
LOG_TABLES = {
    "analytics_apiaccesslog": env.int("ACCESS_LOG_MONTHS", default=3),
    "analytics_authenticationlog": env.int("SIGN_INS_MONTHS", default=3),
    "analytics_externalapicalllog": env.int("VENDOR_CALL_MONTHS", default=24),
    "logs_applog": env.int("APP_LOG_MONTHS", default=3),
}
# host:port pairs that the one HTTP door may reach although they are private: the sandbox of a development machine.
OUTBOUND_ALLOWED_HOSTS = env.list("OUTBOUND_ALLOWED_HOSTS", default=[]) if DEBUG else []

SPECTACULAR_SETTINGS = DESCRIPTION

# Pages, mail, files

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = "config.formats"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": MEDIA_STORAGE,
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
EMAIL_BACKEND = EMAIL_CONFIG["EMAIL_BACKEND"]
EMAIL_HOST = EMAIL_CONFIG.get("EMAIL_HOST", "")
EMAIL_PORT = EMAIL_CONFIG.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = EMAIL_CONFIG.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = EMAIL_CONFIG.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = EMAIL_CONFIG.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = EMAIL_CONFIG.get("EMAIL_USE_SSL", False)
EMAIL_FILE_PATH = EMAIL_CONFIG.get("EMAIL_FILE_PATH") or None
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Whyral <hello@localhost>")
UNFOLD, LOGIN_REDIRECT_URL = LOOK, "admin:index"

# Safety

SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
# The probes come from inside, over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^health/"]
# For this host alone: what other hosts of the domain do is not ours to decide, and browsers do not forget for long.
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else 30 * 24 * 3600)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# What is said about it

LOGGING_CONFIG = None
logging.config.dictConfig(logging_config(readable=DEBUG, level=env.str("LOG_LEVEL", default="INFO")))
DJANGO_STRUCTLOG_CELERY_ENABLED = True
# A heartbeat every few seconds is no news: tasks speak when they fail.
DJANGO_STRUCTLOG_CELERY_DEFAULT_LOG_LEVEL = logging.DEBUG

METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
SENTRY_DSN = env.str("SENTRY_DSN", default="")
if SENTRY_DSN:
    start_sentry(SENTRY_DSN)
