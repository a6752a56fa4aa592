#!/usr/bin/env python
"""Django's command line, with the embedded servers held up while a command runs where no others are configured."""

import os
import sys
from contextlib import nullcontext

from config.env import assume_bare_machine, local_dir, uses_embedded_servers
from core import embedded


def main() -> None:
    assume_bare_machine()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Imported late: Django reads the environment that was completed above.
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    try:
        with embedded.servers(local_dir()) if uses_embedded_servers() else nullcontext():
            execute_from_command_line(sys.argv)
    except embedded.EmbeddedServerProblem as problem:
        sys.exit(f"whyral: {problem}")


if __name__ == "__main__":
    main()
