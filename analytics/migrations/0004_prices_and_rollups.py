"""What vendors ask, and what the logs come to."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0003_log_tables"),
    ]

    operations = [
        migrations.CreateModel(
            name="LatencyRollup",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "period",
                        "start",
                        "route",
                        "method",
                        "status_class",
                        "bucket",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "period",
                    models.TextField(choices=[("hour", "Hour"), ("day", "Day"), ("total", "Total")], db_collation="C"),
                ),
                ("start", models.DateTimeField()),
                ("route", models.TextField(db_collation="C")),
                ("method", models.TextField(db_collation="C")),
                ("status_class", models.SmallIntegerField()),
                ("bucket", models.SmallIntegerField()),
                ("requests", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="RequestRollup",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "period",
                        "start",
                        "route",
                        "method",
                        "status",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "period",
                    models.TextField(choices=[("hour", "Hour"), ("day", "Day"), ("total", "Total")], db_collation="C"),
                ),
                ("start", models.DateTimeField()),
                ("route", models.TextField(db_collation="C")),
                ("method", models.TextField(db_collation="C")),
                ("status", models.SmallIntegerField()),
                ("requests", models.BigIntegerField()),
                ("micros", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="SpendRollup",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "about", "start", "subject", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("start", models.DateTimeField()),
                (
                    "about",
                    models.TextField(
                        choices=[("user", "User"), ("analysis", "Analysis"), ("chat", "Chat")], db_collation="C"
                    ),
                ),
                ("subject", models.UUIDField()),
                ("calls", models.BigIntegerField()),
                ("cost_micros", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="UnitRollup",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "start",
                        "vendor",
                        "operation",
                        "model",
                        "unit",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("start", models.DateTimeField()),
                ("vendor", models.TextField(db_collation="C")),
                ("operation", models.TextField(db_collation="C")),
                ("model", models.TextField(db_collation="C")),
                ("unit", models.TextField(db_collation="C")),
                ("amount", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="VendorRollup",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "period",
                        "start",
                        "vendor",
                        "operation",
                        "model",
                        "outcome",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "period",
                    models.TextField(choices=[("hour", "Hour"), ("day", "Day"), ("total", "Total")], db_collation="C"),
                ),
                ("start", models.DateTimeField()),
                ("vendor", models.TextField(db_collation="C")),
                ("operation", models.TextField(db_collation="C")),
                ("model", models.TextField(db_collation="C")),
                ("outcome", models.TextField(db_collation="C")),
                ("calls", models.BigIntegerField()),
                ("duration_ms", models.BigIntegerField()),
                ("cost_micros", models.BigIntegerField()),
                ("unpriced", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="VendorPrice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("vendor", models.CharField(max_length=40)),
                ("operation", models.CharField(blank=True, help_text="Empty for all of them.", max_length=60)),
                ("model", models.CharField(blank=True, help_text="Empty for all of them.", max_length=80)),
                (
                    "unit",
                    models.CharField(
                        help_text="As calls count it: input_tokens, cached_input_tokens, records.", max_length=40
                    ),
                ),
                ("micros_per_million", models.PositiveBigIntegerField(help_text="Micro-dollars for a million units.")),
                (
                    "tier_unit",
                    models.CharField(
                        blank=True,
                        help_text="The unit whose amount in a call, cached ones included, decides the tier.",
                        max_length=40,
                    ),
                ),
                (
                    "tier_from",
                    models.PositiveBigIntegerField(
                        default=0, help_text="The price counts for calls with more than this."
                    ),
                ),
                ("valid_from", models.DateTimeField()),
                (
                    "valid_until",
                    models.DateTimeField(blank=True, help_text="Exclusive; empty while it is valid.", null=True),
                ),
            ],
            options={
                "ordering": ["vendor", "operation", "model", "unit", "tier_from", "valid_from"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_until__isnull", True), ("valid_until__gt", models.F("valid_from")), _connector="OR"
                        ),
                        name="price_ends_after_it_begins",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("tier_from", 0), models.Q(("tier_unit", ""), _negated=True), _connector="OR"
                        ),
                        name="price_tier_has_a_unit",
                    ),
                ],
            },
        ),
    ]
