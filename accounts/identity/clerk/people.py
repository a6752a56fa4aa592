"""Clerk's users as rows of ours: one each, never older than what was stored before, never with a borrowed address."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User, UserSession, normal_email
from accounts.usage import ensure_live_subscription
from core.errors import Conflict, VendorAnswerInvalid

PROVIDER = "clerk"
# Who comes at the same moment loses at most one race for the row and one for the address.
ATTEMPTS = 4
# Tokens do not say how long their session lasts at Clerk (7 days by default, up to 10 years). The row has to outlive
# it, so that a session ended here stays ended whatever Clerk signs for it.
SESSION_KEPT = timedelta(days=400)
LATEST_MS = 253_402_300_799_000
# Ids go into paths and columns.
SANE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
UNPROVED = "An account with this address exists, but the address was never verified there. Please contact support."

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Person:
    """What Clerk says of a user. `email` is empty unless it is the primary one and verified."""

    id: str
    email: str
    full_name: str
    image: str
    banned: bool
    updated_at: datetime


def person_of(data: Any) -> Person:
    """Read a user object, or VendorAnswerInvalid where what we must rely on is missing."""
    if not isinstance(data, dict):
        raise VendorAnswerInvalid
    names = [_text(data.get(name), 150) for name in ("first_name", "last_name")]
    image = _text(data.get("image_url"), 1000)
    return Person(
        id=id_of(data.get("id")),
        email=_verified_address(data),
        full_name=" ".join(filter(None, names))[:150],
        image=image if image.startswith("https://") else "",
        banned=data.get("banned") is True,
        updated_at=_moment(data.get("updated_at")),
    )


def id_of(value: Any) -> str:
    if not isinstance(value, str) or not SANE_ID.fullmatch(value):
        raise VendorAnswerInvalid
    return value


def _verified_address(data: dict[str, Any]) -> str:
    addresses, primary = data.get("email_addresses") or [], data.get("primary_email_address_id")
    if not isinstance(addresses, list):
        raise VendorAnswerInvalid
    for each in addresses:
        if isinstance(each, dict) and primary is not None and each.get("id") == primary:
            verification = each.get("verification")
            if isinstance(verification, dict) and verification.get("status") == "verified":
                return _address(each.get("email_address"))
    return ""


def _address(value: Any) -> str:
    email = normal_email(value) if isinstance(value, str) else ""
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email if len(email) <= 254 else ""


def _text(value: Any, longest: int) -> str:
    # PostgreSQL stores no NUL.
    return value.replace("\x00", "").strip()[:longest] if isinstance(value, str) else ""


def _moment(milliseconds: Any) -> datetime:
    if type(milliseconds) is not int or not 0 < milliseconds < LATEST_MS:
        raise VendorAnswerInvalid
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def placeholder_address(provider_id: str) -> str:
    """Stands where no verified address is known. The domain is reserved, so that no mail can ever arrive there."""
    return f"{provider_id.lower()}@users.clerk.invalid"


def row_of(provider_id: str) -> User | None:
    return User.objects.filter(provider=PROVIDER, provider_id=provider_id).first()


def keep(person: Person) -> User:
    """The row of a person, made or brought up to date. Conflict where somebody else here holds their address."""
    for _ in range(ATTEMPTS - 1):
        try:
            return _keep(person)
        except IntegrityError:
            continue
    return _keep(person)


def keep_nameless(provider_id: str) -> User:
    """The row of somebody known by id only, for what must be remembered about them."""
    try:
        with transaction.atomic():
            return row_of(provider_id) or _insert(provider_id)
    except IntegrityError:
        return User.objects.get(provider=PROVIDER, provider_id=provider_id)


def keep_session(user: User, session_key: str) -> None:
    """A row for a session, unless there is one: an ended session stays ended."""
    session = UserSession(user=user, key=session_key, expires_at=timezone.now() + SESSION_KEPT)
    UserSession.objects.bulk_create([session], ignore_conflicts=True)


def release_address(user: User) -> None:
    """Let go of an address that is not this user's any more, so that whoever has it now may come in."""
    address = placeholder_address(user.provider_id or str(user.pk))
    User.objects.filter(pk=user.pk).update(email=address, email_verified=False, updated_at=Now())


@transaction.atomic
def _keep(person: Person) -> User:
    if row_of(person.id) is None and not _link_local_account(person):
        _insert(person.id)
    own = User.objects.filter(provider=PROVIDER, provider_id=person.id)
    # A deleted user is not active, so whatever arrives late about them changes nothing.
    older = Q(provider_updated_at=None) | Q(provider_updated_at__lt=person.updated_at)
    email = _free_address(person)
    own.filter(older, is_active=True).update(
        email=email or placeholder_address(person.id),
        email_verified=bool(email),
        full_name=person.full_name,
        profile_image=person.image,
        provider_updated_at=person.updated_at,
        updated_at=Now(),
    )
    return own.get()


def _insert(provider_id: str) -> User:
    user = User.objects.create(
        email=placeholder_address(provider_id),
        password=make_password(None),
        provider=PROVIDER,
        provider_id=provider_id,
    )
    ensure_live_subscription(user)
    return user


def _link_local_account(person: Person) -> bool:
    """Hand an account from before Clerk to its owner: only where both sides have proved the same address.

    An unproved local account may be a trap that a stranger laid under this address, so it is neither handed over nor
    overwritten.
    """
    held = User.objects.select_for_update().filter(email=person.email).exclude(provider=PROVIDER)
    holder = held.first() if person.email else None
    if holder is None:
        return False
    if not (holder.provider == "local" and holder.email_verified):
        raise Conflict(UNPROVED)
    User.objects.filter(pk=holder.pk).update(provider=PROVIDER, provider_id=person.id)
    logger.info("local_account_linked", user_id=str(holder.pk))
    return True


def _free_address(person: Person) -> str:
    """The person's address, or nothing while somebody else here has the better claim to it."""
    others = User.objects.select_for_update().filter(email=person.email).exclude(provider_id=person.id)
    holder = others.first() if person.email else None
    if holder is None:
        return person.email
    # At Clerk an address has one owner at a time, so the newer word about it holds.
    if holder.provider == PROVIDER and _is_older(holder, person):
        release_address(holder)
        return person.email
    logger.warning("clerk_address_held", user_id=str(holder.pk))
    return ""


def _is_older(holder: User, person: Person) -> bool:
    return holder.provider_updated_at is None or holder.provider_updated_at < person.updated_at
