from django.db import migrations

# Of each dispute is kept how much is lost by it. Of those before it was not asked how much: most are about all of it.
FILL = """
UPDATE billing_payment SET
    disputes = (
        SELECT jsonb_object_agg(key, value || to_jsonb(CASE WHEN value ->> 0 = 'lost' THEN amount ELSE 0 END))
        FROM jsonb_each(disputes)
    ),
    lost = CASE WHEN disputed = 'lost' THEN amount ELSE 0 END,
    lost_at = CASE WHEN disputed = 'lost' THEN (SELECT min((value ->> 1)::timestamptz) FROM jsonb_each(disputes)) END
WHERE disputes <> '{}'
"""
EMPTY = """
UPDATE billing_payment SET disputes = (SELECT jsonb_object_agg(key, value - 2) FROM jsonb_each(disputes))
WHERE disputes <> '{}'
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_lost_in_disputes")]

    operations = [migrations.RunSQL(FILL, EMPTY)]
