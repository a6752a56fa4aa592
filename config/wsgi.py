"""The API, served by threads: the fast way to answer plain requests."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Connections are shared by the threads of a process and given back after each request.
os.environ.setdefault("DB_POOL_SIZE", "8")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
