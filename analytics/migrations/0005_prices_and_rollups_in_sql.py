"""What keeps the prices apart and the roll-ups up to date: functions and triggers."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parents[1] / "sql" / "0005_prices_and_rollups.sql"


class Migration(migrations.Migration):
    dependencies = [("analytics", "0004_prices_and_rollups")]
    operations = [migrations.RunSQL(SQL.read_text())]
