"""The app's configuration."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Payments, and the subscriptions that follow from them."""

    name = "billing"

    def ready(self) -> None:
        # Models cannot be imported before the apps are ready.
        from accounts.events import on_erasure  # noqa: PLC0415
        from accounts.export import contribute  # noqa: PLC0415
        from accounts.mail import Letter, add_letter  # noqa: PLC0415
        from billing import people  # noqa: PLC0415
        from billing.leaving import leave  # noqa: PLC0415
        from billing.mail import LETTERS, facts_of  # noqa: PLC0415

        contribute("payments", people.payments_of)
        contribute("invoices", people.invoices_of)
        contribute("refunds", people.refunds_of)
        contribute("payment_methods", people.payment_methods_of)
        contribute("customers", people.customers_of)
        on_erasure(leave)
        for name in LETTERS:
            add_letter(name, Letter(f"billing/mail/{name}.txt", facts_of))
