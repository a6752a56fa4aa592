"""The app's own log, partitioned by month, which Django has no words for."""

from pathlib import Path

from django.db import migrations, models

import core.ids

SQL = Path(__file__).parents[1] / "sql" / "0001_app_log.sql"


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(SQL.read_text(), "DROP TABLE logs_applog")],
            state_operations=[
                migrations.CreateModel(
                    name="AppLog",
                    fields=[
                        (
                            "id",
                            models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False),
                        ),
                        ("created_at", models.DateTimeField(auto_now_add=True)),
                        (
                            "level",
                            models.CharField(
                                choices=[
                                    ("DEBUG", "Debug"),
                                    ("INFO", "Info"),
                                    ("WARNING", "Warning"),
                                    ("ERROR", "Error"),
                                    ("CRITICAL", "Critical"),
                                ],
                                max_length=10,
                            ),
                        ),
                        (
                            "category",
                            models.CharField(
                                choices=[
                                    ("AUTH", "Auth"),
                                    ("SCRAPE", "Scrape"),
                                    ("API", "Api"),
                                    ("ANALYSIS", "Analysis"),
                                    ("BILLING", "Billing"),
                                    ("SYSTEM", "System"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("logger", models.CharField(max_length=100)),
                        ("message", models.CharField(max_length=2000)),
                        ("metadata", models.JSONField(default=dict)),
                        ("request_id", models.CharField(blank=True, max_length=64)),
                        ("task_id", models.CharField(blank=True, max_length=64)),
                    ],
                    options={
                        "indexes": [
                            models.Index(models.F("created_at"), models.F("id"), name="app_log_age"),
                            models.Index(
                                models.F("level"), models.F("created_at"), models.F("id"), name="app_log_of_level"
                            ),
                            models.Index(
                                models.F("category"), models.F("created_at"), models.F("id"), name="app_log_of_category"
                            ),
                            models.Index(
                                models.F("request_id"),
                                condition=models.Q(("request_id", ""), _negated=True),
                                name="app_log_of_request",
                            ),
                        ],
                    },
                ),
            ],
        ),
    ]
