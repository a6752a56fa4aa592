"""How the desk looks and what leads where: the settings of django-unfold."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _may(*permissions: str) -> Callable[[HttpRequest], bool]:
    return lambda request: any(request.user.has_perm(name) for name in permissions)


def _list(title: str, icon: str, model: str) -> dict[str, Any]:
    """A model's list, for whoever may see it."""
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": _may(f"{app}.view_{name}", f"{app}.change_{name}"),
    }


NAVIGATION: list[dict[str, Any]] = [
    {
        "items": [
            {"title": "Start", "icon": "home", "link": reverse_lazy("admin:index")},
            {"title": "Thread of a request", "icon": "conversion_path", "link": reverse_lazy("admin:find_thread")},
        ]
    },
    {
        "title": "People",
        "separator": True,
        "items": [
            _list("Users", "person", "accounts.user"),
            _list("Sessions", "devices", "accounts.usersession"),
            _list("Sign-ins", "login", "analytics.authenticationlog"),
            _list("Feedback", "forum", "feedback.feedback"),
            _list("Staff groups", "badge", "auth.group"),
        ],
    },
    {
        "title": "Money and use",
        "separator": True,
        "items": [
            {
                "title": "Figures",
                "icon": "monitoring",
                "link": reverse_lazy("admin:money"),
                "permission": _may("billing.view_payment"),
            },
            _list("Payments", "payments", "billing.payment"),
            _list("Subscriptions", "card_membership", "accounts.subscription"),
            _list("Invoices", "receipt_long", "billing.invoice"),
            _list("Refunds", "undo", "billing.refund"),
            _list("Cards", "credit_card", "billing.paymentmethod"),
            _list("Provider events", "inbox", "billing.billingevent"),
            _list("Refused deliveries", "block", "billing.refuseddelivery"),
            _list("Plans", "sell", "accounts.plan"),
            _list("Use by day", "calendar_month", "accounts.userusage"),
            _list("Units spent", "toll", "accounts.usageentry"),
            _list("Vendor prices", "price_change", "analytics.vendorprice"),
        ],
    },
    {
        "title": "Analyses",
        "separator": True,
        "items": [
            _list("Analysis requests", "query_stats", "analysis.postanalysisrequest"),
            _list("Post analyses", "lab_profile", "analysis.postanalysis"),
            _list("Model answers", "psychology", "analysis.modelanswer"),
            _list("Chat messages", "chat", "analysis.chatmessage"),
        ],
    },
    {
        "title": "Posts",
        "separator": True,
        "items": [
            _list("Posts", "article_person", "social.post"),
            _list("Media", "perm_media", "social.postmedia"),
            _list("Wanted", "travel_explore", "social.wanted"),
            _list("Who asked for what", "person_search", "social.userpostactivity"),
            _list("Platforms", "hub", "social.platform"),
        ],
    },
    {
        "title": "What happened",
        "separator": True,
        "items": [
            _list("Requests", "http", "analytics.apiaccesslog"),
            _list("Vendor calls", "cloud_upload", "analytics.externalapicalllog"),
            _list("Log lines", "article", "logs.applog"),
            _list("What staff did", "history_edu", "admin.logentry"),
        ],
    },
    {
        "title": "Machine room",
        "separator": True,
        "items": [
            {
                "title": "Vendors",
                "icon": "lan",
                "link": reverse_lazy("admin:vendors"),
                "permission": _may("analytics.view_externalapicalllog"),
            },
            _list("Task results", "task_alt", "django_celery_results.taskresult"),
            _list("Schedule", "schedule", "django_celery_beat.periodictask"),
            _list("Mails", "outgoing_mail", "accounts.outgoingmail"),
            _list("Rejected lines", "rule", "logs.rejectedline"),
        ],
    },
]

LOOK: dict[str, Any] = {
    "SITE_TITLE": "Whyral",
    "SITE_HEADER": "Whyral",
    "SITE_SYMBOL": "query_stats",
    # Where there is no page of ours for the public, there is no site to view.
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("desk/icon.svg")}],
    "STYLES": [lambda request: static("desk/desk.css")],
    "DASHBOARD_CALLBACK": "config.desk.start.fill",
    "SIDEBAR": {"show_search": True, "command_search": True, "navigation": NAVIGATION},
    "COMMAND": {"search_callback": "config.desk.search.find", "search_models": False},
}
