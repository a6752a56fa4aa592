"""Where a browser comes back to from a checkout. What its address says is only a hint: the events decide.

Nobody is signed in here, so nothing is told but what to expect, and where to go on.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

PAID = {
    "status": "processing",
    "title": "Thank you",
    "message": "Your plan begins as soon as the payment is confirmed, usually within seconds.",
}
DECLINED = {
    "status": "failed",
    "title": "The payment did not go through",
    "message": "Your plan stays as it is. You can choose again at any time, perhaps with another card.",
}
LEFT = {
    "status": "cancelled",
    "title": "Nothing was paid",
    "message": "You left the checkout, and your plan stays as it is. You can choose again at any time.",
}


@require_safe
def success(request: HttpRequest) -> HttpResponse:
    # Dodo has one address for both ends: https://docs.dodopayments.com/developer-resources/checkout-session
    return _tell(request, DECLINED if request.GET.get("status") == "failed" else PAID)


@require_safe
def cancelled(request: HttpRequest) -> HttpResponse:
    return _tell(request, LEFT)


def _tell(request: HttpRequest, told: dict[str, str]) -> HttpResponse:
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return JsonResponse(told)
    # Where there is no app yet, its address leads to the API's own pages.
    is_bare = settings.DEBUG and settings.APP_URL == settings.PUBLIC_URL
    return render(request, "billing/landing.html", {**told, "app": f"{settings.APP_URL}/", "is_bare": is_bare})
