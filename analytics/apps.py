"""The app's configuration."""

from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    """Joins the announcements of the apps below."""

    name = "analytics"

    def ready(self) -> None:
        # Models cannot be imported before the apps are ready.
        from accounts.events import on_authentication  # noqa: PLC0415
        from accounts.export import contribute  # noqa: PLC0415
        from analytics.recorder import record_authentication, sign_ins_of  # noqa: PLC0415

        on_authentication(record_authentication)
        contribute("sign_ins", sign_ins_of)
