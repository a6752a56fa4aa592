"""The list prices known on 20 November 2026, in micro-dollars for a million units; staff keep them up to date."""

from datetime import UTC, datetime

from django.db import migrations

# Gemini by list: text, standard tier; thoughts count as output. Grounding is left out: its first thousands are free.
# TwitterAPI.io sells 100,000 credits for one dollar, and calls are counted in credits. BrightData's own library
# estimates 0.2 cents for a record, a comment being one too. Where a list says no first day, the year's serves.
UNDATED = datetime(2026, 1, 1, tzinfo=UTC)
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
TOKENS = ("input_tokens", "output_tokens", "cached_input_tokens", "audio_input_tokens")
MODELS = [
    ("gemini-3.8-flash", datetime(2026, 9, 2, tzinfo=UTC), NEW_YEAR, (750_000, 3_750_000, 75_000)),
    ("gemini-3.8-flash", NEW_YEAR, None, (1_500_000, 7_500_000)),
    ("gemini-3.6-flash", datetime(2026, 7, 21, tzinfo=UTC), None, (1_500_000, 7_500_000)),
    ("gemini-3.5-flash", datetime(2026, 5, 19, tzinfo=UTC), None, (1_500_000, 9_000_000)),
    ("gemini-3.5-flash-lite", datetime(2026, 7, 21, tzinfo=UTC), None, (300_000, 2_500_000)),
    ("gemini-3.1-flash-lite", datetime(2026, 5, 7, tzinfo=UTC), None, (250_000, 1_500_000, 25_000, 500_000)),
    ("gemini-3-flash-preview", UNDATED, None, (500_000, 3_000_000)),
    ("gemini-2.5-flash-lite", UNDATED, None, (100_000, 400_000)),
]
OTHERS = [("twitterapi", "credits", 10_000_000), ("brightdata", "records", 2_000_000_000)]


def seed(apps, schema_editor):
    price_of = apps.get_model("analytics", "VendorPrice")
    of_models = [
        price_of(vendor="gemini", model=model, unit=unit, micros_per_million=price, valid_from=start, valid_until=end)
        for model, start, end, prices in MODELS
        for unit, price in zip(TOKENS, prices, strict=False)
    ]
    of_others = [
        price_of(vendor=vendor, unit=unit, micros_per_million=price, valid_from=UNDATED)
        for vendor, unit, price in OTHERS
    ]
    price_of.objects.bulk_create([*of_models, *of_others])


class Migration(migrations.Migration):
    dependencies = [("analytics", "0005_prices_and_rollups_in_sql")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
