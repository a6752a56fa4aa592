"""How staff come into the admin: counted like any other sign-in, and recorded."""

from typing import Any

from django import forms
from unfold.forms import AuthenticationForm

from accounts.events import announce
from accounts.models import User, normal_email
from core.errors import LimitsUnavailable, TooMany
from core.requests import client_network
from core.throttling import require


class AdminLoginForm(AuthenticationForm):
    """An address and a password. The limits are those of the API, so that nobody gets a second set of guesses here."""

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = self.cleaned_data
        email = normal_email(given.get("username", ""))
        if not email or not given.get("password"):
            return given
        self._count(email)
        try:
            super().clean()
        except forms.ValidationError as refusal:
            owner = User.objects.filter(email=email).first()
            announce(self.request, "admin_login", success=False, user=owner, reason=refusal.code or "invalid")
            raise
        announce(self.request, "admin_login", user=self.user_cache)
        return given

    def _count(self, email: str) -> None:
        try:
            require("login-address", client_network(self.request))
            require("login-account", email)
        except (TooMany, LimitsUnavailable) as problem:
            raise forms.ValidationError(problem.message, code=problem.code) from problem
