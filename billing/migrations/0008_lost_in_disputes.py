from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_file_events_at_once")]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="lost",
            field=models.BigIntegerField(default=0, help_text="How much of it disputes have taken."),
        ),
        migrations.AddField(
            model_name="payment",
            name="lost_at",
            field=models.DateTimeField(help_text="When we first heard of that.", null=True),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                models.F("lost_at"), condition=models.Q(("lost_at__isnull", False)), name="payments_lost"
            ),
        ),
    ]
