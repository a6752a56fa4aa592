"""A rival as Granian serves it, spared the collector's walks through what stays loaded for ever."""

import gc

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

application = get_wsgi_application()
get_resolver().url_patterns  # noqa: B018
gc.collect()
gc.freeze()
