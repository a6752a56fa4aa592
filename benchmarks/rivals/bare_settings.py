"""The least that Django needs to serve two views: no middleware at all, and connections that stay open."""

from config.env import databases, env

SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "accounts", "analytics"]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "benchmarks.rivals.bare"
AUTH_USER_MODEL = "accounts.User"
USE_TZ = True
TIME_ZONE = "UTC"
# Cheaper than the service's own pool, which a rival does not have to survive a restart of PostgreSQL with.
DATABASES = {"default": databases()["default"] | {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": False, "OPTIONS": {}}}
