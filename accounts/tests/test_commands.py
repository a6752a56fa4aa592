"""The commands for the people of a development machine."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction

from accounts.demo import ADMIN_EMAIL, seed_demo
from accounts.management.database import NO_TABLES
from accounts.models import User

pytestmark = pytest.mark.django_db


def call_without_tables(*command: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path TO nowhere")
        call_command(*command)


@pytest.mark.parametrize(
    "command", [("admin_password",), ("token", "demo@whyral.local"), ("analyze", "https://x.com/a")]
)
def test_before_the_first_migrate_every_command_says_what_to_do(settings, command):
    settings.DEBUG = True
    with pytest.raises(CommandError) as refused:
        call_without_tables(*command)
    assert str(refused.value) == NO_TABLES


@pytest.mark.parametrize("is_gone", [False, True])
def test_the_admin_gets_a_new_password_and_is_made_anew_where_the_row_is_gone(settings, is_gone):
    settings.DEBUG = True
    old = seed_demo().admin_password
    if is_gone:
        User.objects.filter(email=ADMIN_EMAIL).delete()
    email, password = call_command("admin_password").split()
    admin = User.objects.get(email=email)
    assert email == ADMIN_EMAIL
    assert password != old
    assert admin.check_password(password)
    assert admin.is_superuser
