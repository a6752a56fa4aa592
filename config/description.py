"""What /api/schema/ says of the API as a whole: the settings of drf-spectacular."""

from typing import Any

from config.env import BASE_DIR

DESCRIPTION: dict[str, Any] = {
    "TITLE": "Whyral",
    "DESCRIPTION": (BASE_DIR / "core" / "conventions.md").read_text(),
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "TAGS": [
        {"name": "accounts", "description": "Who somebody is, what they pay for, and what they have used."},
        {"name": "social", "description": "Posts that are out there: which addresses we can read."},
        {"name": "analysis", "description": "Posts explained: asked for, watched, read."},
        {"name": "billing", "description": "Plans bought, changed and cancelled; what was paid, and what came back."},
        {"name": "feedback", "description": "What one thinks of it, and what became of that."},
        {"name": "health", "description": "For orchestrators and for the page that wakes somebody up."},
        {"name": "schema", "description": "This description."},
    ],
    "SCHEMA_PATH_PREFIX": "/api/",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {
        "SubscriptionStatus": "accounts.models.Subscription.Status",
        "AnalysisStatus": "analysis.models.Status",
        "EvidenceKind": "analysis.serializers.EVIDENCE_KINDS",
        "FeedbackKind": "feedback.models.Feedback.Kind",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
