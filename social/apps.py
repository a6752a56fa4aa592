"""The app's configuration."""

from django.apps import AppConfig


class SocialConfig(AppConfig):
    """Posts of Instagram, X and YouTube, and how they come into our tables."""

    name = "social"

    def ready(self) -> None:
        # Models cannot be imported before the apps are ready.
        from accounts.export import contribute  # noqa: PLC0415
        from social.activity import activity_of  # noqa: PLC0415

        contribute("posts", activity_of)
