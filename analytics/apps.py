"""The app's configuration."""

from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    """Joins the announcements of the apps below."""

    name = "analytics"

    def ready(self) -> None:
        # Models cannot be imported before the apps are ready.
        from accounts.events import on_authentication, on_erasure  # noqa: PLC0415
        from accounts.export import contribute  # noqa: PLC0415
        from analytics.people import forget_person, requests_of, sign_ins_of  # noqa: PLC0415
        from analytics.prices import price_of  # noqa: PLC0415
        from analytics.recorder import record_authentication, record_call  # noqa: PLC0415
        from core.calls import on_call, price_with  # noqa: PLC0415

        on_authentication(record_authentication)
        on_call(record_call)
        price_with(price_of)
        on_erasure(forget_person)
        contribute("sign_ins", sign_ins_of)
        contribute("requests", requests_of)
