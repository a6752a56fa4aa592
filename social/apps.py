"""The app's configuration."""

from django.apps import AppConfig


class SocialConfig(AppConfig):
    """Posts of Instagram, X and YouTube, and how they come into our tables."""

    name = "social"
