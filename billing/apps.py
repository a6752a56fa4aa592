"""The app's configuration."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Payments, and the subscriptions that follow from them."""

    name = "billing"

    def ready(self) -> None:
        # Models cannot be imported before the apps are ready.
        from accounts.export import contribute  # noqa: PLC0415
        from accounts.mail import Letter, add_letter  # noqa: PLC0415
        from billing.mail import LETTERS, facts_of  # noqa: PLC0415
        from billing.people import payments_of  # noqa: PLC0415

        contribute("payments", payments_of)
        for name in LETTERS:
            add_letter(name, Letter(f"billing/mail/{name}.txt", facts_of))
