"""The access log and the vendor calls, and the record of sign-ins beside them: partitioned by month."""

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import core.ids

SQL = Path(__file__).parents[1] / "sql" / "0003_log_tables.sql"


def row() -> list[tuple[str, models.Field]]:
    return [
        ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
        ("created_at", models.DateTimeField(auto_now_add=True)),
    ]


def user() -> tuple[str, models.Field]:
    return (
        "user",
        models.ForeignKey(
            db_constraint=False,
            db_index=False,
            null=True,
            on_delete=django.db.models.deletion.DO_NOTHING,
            related_name="+",
            to=settings.AUTH_USER_MODEL,
        ),
    )


def index(name: str, *columns: str, condition: models.Q | None = None) -> models.Index:
    return models.Index(*map(models.F, columns), name=name, condition=condition)


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0002_authentication_age"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(SQL.read_text())],
            state_operations=[
                migrations.CreateModel(
                    name="APIAccessLog",
                    fields=[
                        *row(),
                        ("method", models.CharField(max_length=10)),
                        ("route", models.CharField(max_length=200)),
                        ("status", models.PositiveSmallIntegerField()),
                        ("duration_us", models.PositiveBigIntegerField()),
                        ("ip", models.GenericIPAddressField(null=True)),
                        ("user_agent", models.CharField(blank=True, max_length=300)),
                        user(),
                        ("request_id", models.CharField(max_length=64)),
                        ("error_code", models.CharField(blank=True, max_length=60)),
                    ],
                    options={
                        "indexes": [
                            index("access_age", "created_at", "id"),
                            index("access_of_user", "user", "created_at", "id"),
                            index("access_of_request", "request_id"),
                            index("access_failures", "created_at", "id", condition=models.Q(status__gte=400)),
                        ]
                    },
                ),
                migrations.CreateModel(
                    name="ExternalAPICallLog",
                    fields=[
                        *row(),
                        ("vendor", models.CharField(max_length=40)),
                        ("operation", models.CharField(max_length=60)),
                        ("model", models.CharField(blank=True, max_length=80)),
                        ("status", models.PositiveSmallIntegerField(null=True)),
                        ("outcome", models.CharField(max_length=60)),
                        ("duration_ms", models.PositiveIntegerField()),
                        ("attempts", models.PositiveSmallIntegerField(default=1)),
                        ("units", models.JSONField(default=dict)),
                        ("cost_micros", models.BigIntegerField(null=True)),
                        ("error", models.CharField(blank=True, max_length=500)),
                        ("request_id", models.CharField(blank=True, max_length=64)),
                        user(),
                        ("analysis_id", models.UUIDField(null=True)),
                        ("chat_id", models.UUIDField(null=True)),
                    ],
                    options={
                        "indexes": [
                            index("vendor_call_age", "created_at", "id"),
                            index("vendor_call_of_vendor", "vendor", "created_at", "id"),
                            index("vendor_call_of_user", "user", "created_at", "id"),
                            index("vendor_call_of_request", "request_id", condition=~models.Q(request_id="")),
                            index(
                                "vendor_call_of_analysis",
                                "analysis_id",
                                condition=models.Q(analysis_id__isnull=False),
                            ),
                        ]
                    },
                ),
                migrations.RemoveIndex(model_name="authenticationlog", name="authentication_age"),
                migrations.AddIndex("authenticationlog", index("authentication_age", "created_at", "id")),
                migrations.AddIndex("authenticationlog", index("authentication_from", "ip", "created_at", "id")),
                migrations.AddIndex(
                    "authenticationlog",
                    index("authentication_of_request", "request_id", condition=~models.Q(request_id="")),
                ),
            ],
        ),
    ]
