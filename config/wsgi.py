"""The API, served by threads: the fast way to answer plain requests."""

import gc
import os
from importlib import import_module

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Connections are shared by the threads of a web process and given back after each request; workers keep theirs.
os.environ["WHYRAL_SERVES"] = "web"

import django
from django.conf import settings

django.setup(set_prefix=False)
application = import_module("config.serving").Plain()
# What the first request would load. None of it will ever be garbage, and walking it with each full collection would
# hold up everybody who is being served (measured: 100 ms on a slow machine).
import_module(settings.ROOT_URLCONF)
gc.collect()
gc.freeze()
