"""The API, served by threads: the fast way to answer plain requests."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Connections are shared by the threads of a web process and given back after each request; workers keep theirs.
os.environ["WHYRAL_SERVES"] = "web"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
