from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="authenticationlog",
            index=models.Index(models.F("created_at"), name="authentication_age"),
        ),
    ]
