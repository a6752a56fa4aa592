"""The plans every installation starts with. Without Free nobody can be given a subscription."""

from django.db import migrations

PLANS = [
    {
        "slug": "free",
        "name": "Free",
        "price": 0,
        "max_handles": 1,
        "max_urls": 3,
        "max_analyses_per_day": 5,
        "max_questions_per_day": 20,
        "features": ["Verdict against your own baseline", "Evidence behind every reason"],
    },
    {
        "slug": "pro",
        "name": "Pro",
        "price": 2900,
        "max_handles": 10,
        "max_urls": 10,
        "max_analyses_per_day": 100,
        "max_questions_per_day": 500,
        "features": ["Everything in Free", "Priority collection"],
    },
    {
        "slug": "agency",
        "name": "Agency",
        "price": 9900,
        "max_handles": 50,
        "max_urls": 25,
        "max_analyses_per_day": 1000,
        "max_questions_per_day": -1,
        "features": ["Everything in Pro", "Unlimited questions"],
    },
]


def seed(apps, schema_editor):
    Plan = apps.get_model("accounts", "Plan")
    for plan in PLANS:
        Plan.objects.get_or_create(slug=plan["slug"], defaults=plan)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
