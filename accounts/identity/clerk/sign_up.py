"""Making an account at Clerk, and its refusals in our words."""

from typing import Any

from accounts.identity.clerk.backend import create_user
from accounts.identity.clerk.people import keep, person_of
from accounts.identity.contract import NewUser
from accounts.models import User, normal_email
from core.errors import Invalid, VendorRefused

FORM_REFUSED = {400, 403, 422}
TAKEN = "This address cannot be used to sign up."
# https://clerk.com/docs/guides/development/errors/frontend-api is an open list, so a field tells what a code does not.
CODES = {
    "form_identifier_exists": ("email", TAKEN),
    "form_password_pwned": ("password", "This password is known from a data breach. Please choose another."),
    "form_password_length_too_short": ("password", "This password is too short."),
    "form_password_length_too_long": ("password", "This password is too long."),
}
FIELDS = {
    "email_address": ("email", "Enter a valid email address."),
    "password": ("password", "This password is not accepted. A longer, less common one will be."),
    "first_name": ("full_name", "This name is not accepted."),
    "last_name": ("full_name", "This name is not accepted."),
}


def make_account(new: NewUser) -> User:
    email = normal_email(new.email)
    if User.objects.filter(email=email).exists():
        raise Invalid(details={"email": [TAKEN]})
    answer = create_user(_details(email, new))
    if answer.status in FORM_REFUSED:
        raise _refusal(answer.json())
    user = keep(person_of(answer.require_success().json()))
    if new.company_name:
        User.objects.filter(pk=user.pk).update(company_name=new.company_name)
        user.company_name = new.company_name
    return user


def _details(email: str, new: NewUser) -> dict[str, Any]:
    first, _, last = new.full_name.strip().partition(" ")
    return {
        "email_address": [email],
        # By default Clerk takes an address from its Backend API for verified, and a stranger could sign up with
        # somebody else's and wait for them. Reserved means: it signs in, and it is proved to be whose it is later.
        "email_address_identification_status": ["reserved"],
        "password": new.password,
        "first_name": first,
        "last_name": last.strip(),
    }


def _refusal(body: Any) -> Invalid | VendorRefused:
    """The form's fields that Clerk complains of; its own texts stay where they are."""
    errors = body.get("errors") if isinstance(body, dict) else None
    found = [_complaint(each) for each in errors] if isinstance(errors, list) else []
    details: dict[str, Any] = {field: [message] for field, message in filter(None, found)}
    return Invalid(details=details) if details else VendorRefused()


def _complaint(error: Any) -> tuple[str, str] | None:
    if not isinstance(error, dict):
        return None
    meta = error.get("meta")
    field = meta.get("param_name") if isinstance(meta, dict) else None
    return CODES.get(str(error.get("code"))) or FIELDS.get(str(field))
