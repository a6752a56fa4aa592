"""The app's configuration."""

from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    """Requests, their posts' way through the stages, and what came of them."""

    name = "analysis"

    def ready(self) -> None:
        # Models cannot be imported before the apps are ready.
        from accounts.events import on_erasure  # noqa: PLC0415
        from accounts.export import contribute  # noqa: PLC0415
        from analysis.people import analyses_of, chats_of, forget, notes_of  # noqa: PLC0415
        from analysis.tasks import wake  # noqa: PLC0415
        from social.errands import on_finished  # noqa: PLC0415

        contribute("analyses", analyses_of)
        contribute("chats", chats_of)
        contribute("notes", notes_of)
        on_erasure(forget)
        on_finished(wake)
