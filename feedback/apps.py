"""The app's configuration."""

from django.apps import AppConfig


class FeedbackConfig(AppConfig):
    """What users say, and what became of it."""

    name = "feedback"

    def ready(self) -> None:
        # Models cannot be imported before the apps are ready.
        from accounts.export import contribute  # noqa: PLC0415
        from accounts.mail import Letter, add_letter  # noqa: PLC0415
        from feedback.mail import reply_context  # noqa: PLC0415
        from feedback.services import feedback_of  # noqa: PLC0415

        contribute("feedback", feedback_of)
        add_letter("feedback_reply", Letter("feedback/mail/reply.txt", reply_context))
