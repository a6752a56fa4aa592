"""The three platforms."""

from django.db import migrations

PLATFORMS = {"instagram": "Instagram", "x": "X", "youtube": "YouTube"}


def add(apps, schema_editor):
    rows = apps.get_model("social", "Platform").objects
    for slug, name in PLATFORMS.items():
        rows.get_or_create(slug=slug, defaults={"name": name})


class Migration(migrations.Migration):
    dependencies = [("social", "0001_initial")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
