"""How staff come into the admin: counted like any other sign-in, and recorded."""

from typing import Any

from django import forms
from unfold.forms import AuthenticationForm

from accounts.attempts import Attempt
from accounts.models import normal_email
from core.errors import LimitsUnavailable, TooMany


class AdminLoginForm(AuthenticationForm):
    """An address and a password. The limits are those of the API, so that nobody gets a second set of guesses here."""

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = self.cleaned_data
        email = normal_email(given.get("username", ""))
        if not email or not given.get("password"):
            return given
        attempt = Attempt(self.request, email, event="admin_login")
        try:
            attempt.admit()
            super().clean()
        except (TooMany, LimitsUnavailable) as problem:
            raise forms.ValidationError(problem.message, code=problem.code) from problem
        except forms.ValidationError as refusal:
            attempt.fail(refusal.code or "invalid")
            raise
        attempt.succeed(self.user_cache)
        return given
