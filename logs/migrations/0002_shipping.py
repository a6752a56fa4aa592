"""How far the spools have been shipped, and the lines the database would not take."""

from django.db import migrations, models

import core.ids


class Migration(migrations.Migration):
    dependencies = [("logs", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ShippedSegment",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("position", models.PositiveBigIntegerField()),
                ("moved_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="RejectedLine",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("segment", models.UUIDField()),
                ("position", models.PositiveBigIntegerField()),
                ("table", models.CharField(max_length=63)),
                ("line", models.TextField()),
                ("error", models.CharField(max_length=500)),
            ],
            options={"indexes": [models.Index(models.F("created_at"), models.F("id"), name="rejected_line_age")]},
        ),
    ]
