"""What the mail with a reply says."""

from typing import Any

from accounts.models import OutgoingMail, User
from feedback.models import Feedback


def reply_context(user: User, mail: OutgoingMail) -> dict[str, Any] | None:
    """The feedback this mail answers, and the user's own words as a quotation."""
    feedback = Feedback.objects.filter(reply_mail_id=mail.pk, user=user).first()
    if feedback is None:
        return None
    quoted = "\n".join(f"> {line}".rstrip() for line in feedback.message.splitlines())
    return {"feedback": feedback, "quoted": quoted}
