"""The roof as a Django app, so that it can hold commands and tasks."""

from django.apps import AppConfig


class WhyralConfig(AppConfig):
    """The wiring."""

    name = "config"
