"""What a command says where there is no database to work with."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError

NO_TABLES = "The database has no tables yet: `make run` or `manage.py migrate` makes them."


@contextmanager
def needs_database() -> Iterator[None]:
    """A sentence in place of a traceback, whichever command it is that found it so."""
    try:
        yield
    except ProgrammingError:
        raise CommandError(NO_TABLES) from None
    except OperationalError as problem:
        why = "".join(letter for letter in str(problem).partition("\n")[0] if letter.isprintable())
        raise CommandError(f"The database does not answer: {why}") from None
