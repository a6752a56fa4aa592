"""Let browsers watch their own analyses through Supabase Realtime, and keep them away from everything else."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from analysis import supabase

FOREIGN = (
    "There are no roles {roles} in this database: they are Supabase's. For a PostgreSQL of your own, "
    "--create-roles makes them."
)


class Command(BaseCommand):
    """`manage.py supabase_setup [--apply] [--remove] [--create-roles]`."""

    help = (
        "Set up row level security, policies and the broadcast of an analysis' progress for Supabase. Says what would "
        "change, and changes it with --apply. Run it after each migration: it may be run at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--apply", action="store_true", help="Do it, and not only say what would be done.")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--remove", action="store_true", help="Take it all away again; no grant is given back.")
        what.add_argument(
            "--create-roles", action="store_true", help="Make anon and authenticated where they are missing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        change = self._change(**options)
        lines = list(_differences(change))
        for line in lines:
            self.stdout.write(f"  {line}")
        if not lines:
            self.stdout.write("Everything is as it should be.")
        elif options["apply"]:
            self.stdout.write(f"{len(lines)} changed.")
        else:
            self.stdout.write(f"{len(lines)} would change, and nothing has: --apply does it.")
        if change.left_open:
            raise CommandError("Still open, and not by us:\n  " + "\n  ".join(change.left_open))

    def _change(self, *, apply: bool, remove: bool, create_roles: bool, **_: Any) -> supabase.Change:
        try:
            if remove:
                return supabase.remove(apply=apply)
            return supabase.set_up(apply=apply, create_roles=create_roles)
        except supabase.RolesMissing as missing:
            raise CommandError(FOREIGN.format(roles=" and ".join(missing.details["roles"]))) from None
        except DatabaseError as error:
            raise CommandError(f"Nothing was changed. PostgreSQL says: {str(error).strip()}") from None


def _differences(change: supabase.Change) -> Iterator[str]:
    """A line for each thing that comes, goes or is changed."""
    for name in sorted(change.before.keys() | change.after.keys()):
        old, new = change.before.get(name), change.after.get(name)
        if old != new:
            mark = "+" if old is None else "-" if new is None else "~"
            yield f"{mark} {name}{_short(new if new is not None else old or '')}"


def _short(words: str) -> str:
    return f" ({words})" if words and "\n" not in words else ""
