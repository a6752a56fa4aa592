"""Print an access token for trying the API as somebody."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.identity.local import start_session
from accounts.management.database import needs_database
from accounts.models import User, normal_email


class Command(BaseCommand):
    """`manage.py token EMAIL`."""

    help = "Print an access token (15 minutes) for trying the API as the user with this e-mail address."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> str:
        if settings.IDENTITY_PROVIDER != "local":
            raise CommandError("Tokens come from the identity provider here; this works with local accounts only.")
        with needs_database():
            return self._token(options["email"])

    def _token(self, email: str) -> str:
        user = User.objects.filter(email=normal_email(email), is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {email}.")
        return start_session(user).access
