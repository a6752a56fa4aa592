"""Sign-ins are kept for a while and no longer."""

from datetime import timedelta

import pytest
from django.utils import timezone

from analytics.models import AuthenticationLog
from analytics.tasks import forget_old_sign_ins


@pytest.fixture
def sign_in(user, settings):
    settings.SIGN_INS_KEPT_DAYS = 90

    def happened(days_ago):
        row = AuthenticationLog.objects.create(user=user, event="login", success=True)
        AuthenticationLog.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(days=days_ago))
        return row

    return happened


def test_only_what_is_too_old_is_forgotten(sign_in):
    kept = [sign_in(0), sign_in(89)]
    sign_in(91)
    assert forget_old_sign_ins() == 1
    assert set(AuthenticationLog.objects.all()) == set(kept)
    assert forget_old_sign_ins() == 0


def test_a_great_many_are_forgotten_a_batch_at_a_time(sign_in, django_assert_num_queries):
    AuthenticationLog.objects.bulk_create(AuthenticationLog(event="login", success=False) for _ in range(2001))
    AuthenticationLog.objects.update(created_at=timezone.now() - timedelta(days=91))
    with django_assert_num_queries(7):
        assert forget_old_sign_ins() == 2001
