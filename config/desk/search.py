"""What the search box of the desk finds besides pages: people, and the thread of a request."""

from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from accounts.models import User
from core.requests import SANE_ID

MOST = 5


def find(request: HttpRequest, term: str) -> list[SearchResult]:
    return [*_people(request, term), *_threads(term)]


def _people(request: HttpRequest, term: str) -> list[SearchResult]:
    if not request.user.has_perm("accounts.view_user"):
        return []
    found = User.objects.filter(email__startswith=term.lower()).order_by("email")[:MOST]
    return [
        SearchResult(user.email, "A user", reverse("admin:accounts_user_change", args=[user.pk]), "person")
        for user in found
    ]


def _threads(term: str) -> list[SearchResult]:
    if not SANE_ID.fullmatch(term) or not any(map(str.isdigit, term)):
        return []
    return [SearchResult(term, "A request's thread", reverse("admin:thread", args=[term]), "conversion_path")]
