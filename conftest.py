"""What every test stands on; the servers are started by tests/environment.py."""

import pytest
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck
from hypothesis import settings as examples
from rest_framework.test import APIClient

from accounts.identity.local import start_session
from accounts.models import User
from accounts.usage import ensure_live_subscription
from config.celery import app as celery_app
from core import redis
from tests.pristine import keep_pristine

# How long an example takes says how busy the machine is.
examples.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
examples.load_profile("busy")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> None:
    with django_db_blocker.unblock():
        keep_pristine(connection)


@pytest.fixture(autouse=True)
def _empty_redis() -> None:
    redis.client().flushall()


@pytest.fixture(autouse=True)
def _quick_passwords(settings) -> None:
    """A password hash takes a tenth of a second on purpose; the tests that are about passwords set it back."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def user(db) -> User:
    user = User.objects.create_user("user@example.com", "a long password")
    ensure_live_subscription(user)
    return user


@pytest.fixture
def api(user) -> APIClient:
    """A client signed in as `user`."""
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {start_session(user).access}")
    return client


@pytest.fixture
def stranger() -> APIClient:
    return APIClient(raise_request_exception=False)


@pytest.fixture
def staff(db) -> User:
    return User.objects.create_superuser("staff@example.com", "a long password")


@pytest.fixture
def desk(staff) -> Client:
    """The admin, with `staff` signed in."""
    client = Client()
    client.force_login(staff)
    return client


@pytest.fixture
def celery_broker():
    """Point the application at another broker for one test."""
    before = celery_app.conf.broker_url

    def use(url: str) -> None:
        celery_app.conf.broker_url = celery_app.conf.broker_write_url = url

    yield use
    use(before)
