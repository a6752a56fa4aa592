"""Writing down what other parts announce, and forgetting it in time."""

from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from accounts.events import AuthenticationEvent
from accounts.models import User
from analytics.models import AuthenticationLog
from core.models import delete_in_batches


def record_authentication(fact: AuthenticationEvent) -> None:
    AuthenticationLog.objects.create(
        user=fact.user,
        event=fact.event,
        success=fact.success,
        reason=fact.reason,
        ip=fact.ip or None,
        user_agent=fact.user_agent.replace("\x00", ""),
        request_id=fact.request_id,
    )


def sign_ins_of(user: User) -> list[dict[str, object]]:
    columns = ("id", "created_at", "event", "success", "reason", "ip", "user_agent")
    return list(AuthenticationLog.objects.filter(user=user).order_by("created_at", "id").values(*columns))


def forget_old_sign_ins() -> int:
    """Who came from where is kept as long as a misuse may take to be noticed, and no longer."""
    kept = timedelta(days=settings.SIGN_INS_KEPT_DAYS)
    return delete_in_batches(AuthenticationLog.objects.filter(created_at__lt=Now() - kept))
