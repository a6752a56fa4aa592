from django.contrib.postgres.indexes import GinIndex
from django.db import migrations

AT_ONCE = "ALTER INDEX event_about SET (fastupdate = off)"
LATER = "ALTER INDEX event_about RESET (fastupdate)"


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_events_given_up")]

    operations = [
        # Changed and not built anew, which would keep deliveries out for as long as it takes.
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(AT_ONCE, LATER)],
            state_operations=[
                migrations.RemoveIndex("billingevent", "event_about"),
                migrations.AddIndex(
                    "billingevent",
                    GinIndex(fields=["about"], opclasses=["jsonb_path_ops"], name="event_about", fastupdate=False),
                ),
            ],
        ),
    ]
