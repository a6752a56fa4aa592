"""What several of the accounts' tests stand on."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from sandbox.clerk import ClerkSandbox


@pytest.fixture
def clerk(settings: Settings) -> Iterator[ClerkSandbox]:
    """Clerk, chosen as the identity provider."""
    with ClerkSandbox() as sandbox:
        settings.IDENTITY_PROVIDER, settings.CLERK_JWT_KEY = "clerk", ""
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


@pytest.fixture
def session(clerk: ClerkSandbox) -> str:
    """Ana's, who has never been here."""
    return clerk.open_session(clerk.add_user("ana@example.com"))
