"""What the tests of the analysis stand on."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from analysis.tests.browsing import SUPABASE, run, set_up
from analysis.tests.dying import Hesitant
from sandbox.gemini import GeminiSandbox
from sandbox.openai_compatible import OpenAICompatibleSandbox


@pytest.fixture
def gemini(settings: Settings) -> Iterator[GeminiSandbox]:
    """Gemini on loopback, with two keys of two projects."""
    with GeminiSandbox(keys=("first-key-of-ours", "second-key-of-ours")) as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


@pytest.fixture
def hesitant(settings: Settings, gemini: GeminiSandbox) -> Iterator[Hesitant]:
    with Hesitant(keys=gemini.api_keys) as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


@pytest.fixture
def supabase(db: None) -> None:
    """A database as it is at Supabase, before anything is set up. The test's rollback removes it, the roles too."""
    run(SUPABASE)


@pytest.fixture
def supabase_ready(supabase: None) -> None:
    set_up("--apply")


@pytest.fixture
def model(settings: Settings) -> Iterator[OpenAICompatibleSandbox]:
    """A model on loopback that a chat asks, and nobody after it."""
    with OpenAICompatibleSandbox() as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        settings.CHAT_PROVIDERS = ["openai_compatible"]
        yield sandbox
