"""The links that mails carry: each works once, for one purpose, for a limited time."""

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core import signing
from django.utils.http import urlsafe_base64_encode

from accounts.models import User

VERIFICATION_SALT = "accounts.verify-email"


def link_parts(user: User, template: str) -> dict[str, str]:
    """What the link in a mail of this template carries."""
    token = default_token_generator.make_token(user) if template == "password_reset" else verification_token(user)
    return {"uid": urlsafe_base64_encode(str(user.pk).encode()), "token": token}


def verification_token(user: User) -> str:
    return signing.dumps([str(user.pk), user.email], salt=VERIFICATION_SALT)


def verification_matches(token: str, user: User) -> bool:
    try:
        said = signing.loads(token, salt=VERIFICATION_SALT, max_age=settings.EMAIL_VERIFICATION_TIMEOUT)
    except signing.BadSignature:
        return False
    return bool(said == [str(user.pk), user.email])
