"""What the tests of the analysis stand on."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from sandbox.gemini import GeminiSandbox


@pytest.fixture
def gemini(settings: Settings) -> Iterator[GeminiSandbox]:
    """Gemini on loopback, with two keys of two projects."""
    with GeminiSandbox(keys=("first-key-of-ours", "second-key-of-ours")) as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox
