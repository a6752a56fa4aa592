"""Where a browser comes back to from a checkout. What its address says is only a hint: the events decide.

Nobody is signed in here, so nothing is told but what to expect.
"""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

PAID = {
    "status": "processing",
    "title": "Thank you",
    "message": "Your plan begins as soon as the payment is confirmed, usually within seconds.",
}
LEFT = {
    "status": "cancelled",
    "title": "Nothing was paid",
    "message": "You left the checkout, and your plan stays as it is. You can choose again at any time.",
}


@require_safe
def success(request: HttpRequest) -> HttpResponse:
    return _tell(request, PAID)


@require_safe
def cancelled(request: HttpRequest) -> HttpResponse:
    return _tell(request, LEFT)


def _tell(request: HttpRequest, told: dict[str, str]) -> HttpResponse:
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return JsonResponse(told)
    return render(request, "billing/landing.html", told)
