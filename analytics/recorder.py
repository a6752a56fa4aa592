"""Writing down what other parts announce."""

from accounts.events import AuthenticationEvent
from accounts.models import User
from analytics.models import AuthenticationLog


def record_authentication(fact: AuthenticationEvent) -> None:
    AuthenticationLog.objects.create(
        user=fact.user,
        event=fact.event,
        success=fact.success,
        reason=fact.reason,
        ip=fact.ip if fact.ip != "unknown" else None,
        user_agent=fact.user_agent.replace("\x00", ""),
        request_id=fact.request_id,
    )


def sign_ins_of(user: User) -> list[dict[str, object]]:
    columns = ("id", "created_at", "event", "success", "reason", "ip", "user_agent")
    return list(AuthenticationLog.objects.filter(user=user).order_by("created_at", "id").values(*columns))
