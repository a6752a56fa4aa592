"""The API against its own description: complete, valid, and true whatever is sent.

`FUZZ_CASES=2000 make test ARGS="tests/test_schema.py -s"` is the long form; another FUZZ_SEED sends other cases.
What the fuzzer is told not to complain of stands in schemathesis.toml, with the reasons.
"""

import os
import re
from collections.abc import Iterator
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command

from accounts.identity.local import start_session
from accounts.models import User, UserUsage
from accounts.usage import ensure_live_subscription
from analytics.models import AuthenticationLog
from core.schema import describe
from core.ids import uuid7
from tests.test_strangers import OPEN, address, routes

CASES = int(os.environ.get("FUZZ_CASES", "600"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
CONFIG = Path(__file__).resolve().parent.parent / "schemathesis.toml"
DOCUMENT: dict[str, Any] = describe()
OPERATIONS = {(path, method): it for path, item in DOCUMENT["paths"].items() for method, it in item.items()}
# A page for people, and what answers where there is nothing.
NOT_DESCRIBED = {"api/docs/", "api/^api/"}


def every(check):
    return pytest.mark.parametrize("operation", OPERATIONS.values(), ids=map(" ".join, OPERATIONS))(check)


def resolved(node):
    """What a reference leads to."""
    while "$ref" in node:
        target = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def contents(operation):
    """The media types of an operation's body and of its answers."""
    bodies = [operation.get("requestBody", {}), *map(resolved, operation["responses"].values())]
    return [media for body in bodies for media in body.get("content", {}).values()]
