"""Give the admin of a development machine a new password."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.demo import ADMIN_EMAIL, new_admin_password
from accounts.management.database import needs_database


class Command(BaseCommand):
    """`manage.py admin_password`."""

    help = f"Give {ADMIN_EMAIL} a new password and print it. Development only."

    def handle(self, *args: Any, **options: Any) -> str:
        if not settings.DEBUG:
            raise CommandError("Only in development; in production use `manage.py changepassword`.")
        with needs_database():
            return f"{ADMIN_EMAIL}  {new_admin_password()}"
