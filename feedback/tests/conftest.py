"""What several of the tests of feedback stand on."""

import pytest

from accounts.models import User
from feedback.models import Feedback


@pytest.fixture
def ben(db) -> User:
    return User.objects.create_user("ben@example.com", "another password")


@pytest.fixture
def said(user) -> Feedback:
    """What `user` said."""
    return Feedback.objects.create(user=user, kind="bug", message="It is slow.\nVery slow.")
