from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("social", "0002_platforms"),
    ]

    operations = [
        migrations.AddField(
            model_name="wanted",
            name="busy_until",
            field=models.DateTimeField(blank=True, help_text="Until then nobody who may know it is free.", null=True),
        ),
    ]
