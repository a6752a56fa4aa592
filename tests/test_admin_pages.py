"""Every page of the admin, found by itself: its list, search, filters, row, export and form; also those to come."""

import datetime
import uuid

import pytest
from django.contrib import admin
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts.models import User
from core.admin import RowAdmin

pytestmark = pytest.mark.django_db
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
TERMS = ["user@", "a'; --", "%", "\\", "0190f1c4-0000-7000-8000-000000000000", "request-12345", "192.0.2.1", "é" * 300]
VALUES = {
    models.BooleanField: True,
    models.DateTimeField: timezone.now(),
    models.DateField: datetime.date(2026, 1, 2),
    models.GenericIPAddressField: "192.0.2.1",
    models.IntegerField: 1,
    models.JSONField: {"=cmd": "<script>alert(1)</script>"},
    models.TextField: "<script>alert(1)</script>",
    models.URLField: "https://example.com/",
    models.UUIDField: uuid.UUID(int=1),
}


def page(model, name="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def a_row(model):
    """Some row of a model, made from nothing but its fields if there is none."""
    found = model._default_manager.first()
    if found is None and model is PeriodicTask:
        every_second = IntervalSchedule.objects.create(every=1, period="seconds")
        return model.objects.create(name="<b>markup</b>", task="config.heartbeat", interval=every_second)
    return found or model._default_manager.create(**{f.name: a_value(f) for f in model._meta.fields if is_asked(f)})


def is_asked(field):
    # What sets itself at a save is blank.
    return not (field.primary_key or field.has_default() or field.null or field.blank)


def a_value(field):
    if field.related_model:
        return a_row(field.related_model)
    if field.choices:
        return field.choices[0][0]
    kind = next((kind for kind in VALUES if isinstance(field, kind)), None)
    return VALUES[kind] if kind else "<b>markup</b>"[: field.max_length]


@every_model
def test_a_page_stands_on_the_base_that_stays_fast(model):
    assert isinstance(admin.site._registry[model], RowAdmin)


@every_model
def test_a_list_opens_and_shows_its_row(desk, model):
    row = a_row(model)
    answer = desk.get(page(model))
    assert answer.status_code == 200
    assert page(model, "change", row.pk) in answer.content.decode()
    assert b"<script>alert" not in answer.content


@every_model
def test_a_list_can_be_searched_for_anything(desk, model):
    a_row(model)
    assert admin.site._registry[model].search_fields
    for term in TERMS:
        assert desk.get(page(model), {"q": term}).status_code == 200


@every_model
def test_every_choice_of_every_filter_opens(desk, model):
    a_row(model)
    specs = desk.get(page(model)).context_data["cl"].filter_specs
    lists = [choice["query_string"] for spec in specs for choice in choices_of(spec, desk, model)]
    for query in lists:
        assert desk.get(page(model) + query).status_code == 200
    for name in {name for spec in specs for name in spec.expected_parameters()}:
        assert desk.get(page(model), {name: "2026-01-02T03:04"}).status_code in (200, 302)


def choices_of(spec, desk, model):
    listed = desk.get(page(model)).context_data["cl"]
    return [choice for choice in spec.choices(listed) if "query_string" in choice]


@every_model
def test_no_list_counts_its_rows_or_asks_for_distinct_ones(desk, model):
    a_row(model)
    with CaptureQueriesContext(connection) as seen:
        listed = desk.get(page(model)).context_data["cl"]
        for spec in listed.filter_specs:
            for choice in choices_of(spec, desk, model):
                desk.get(page(model) + choice["query_string"])
        desk.get(page(model), {"q": "user@"})
    asked = [query["sql"] for query in seen.captured_queries]
    assert [sql for sql in asked if "COUNT(" in sql or "DISTINCT" in sql] == []


@every_model
def test_a_list_takes_few_queries(desk, model):
    a_row(model)
    desk.get(page(model))
    with CaptureQueriesContext(connection) as seen:
        desk.get(page(model))
    assert len(seen) <= 12


@every_model
def test_every_row_opens_with_its_history(desk, model):
    row = a_row(model)
    for name in ("change", "history"):
        answer = desk.get(page(model, name, row.pk))
        assert answer.status_code == 200
        assert b"<script>alert" not in answer.content


@every_model
def test_a_form_opens_where_rows_may_be_added(desk, model):
    may_add = admin.site._registry[model].has_add_permission(desk.get(page(model)).wsgi_request)
    assert desk.get(page(model, "add")).status_code == (200 if may_add else 403)


@every_model
def test_a_list_can_be_taken_away_as_csv(desk, model):
    a_row(model)
    answer = desk.get(page(model, "export"))
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert "password" not in lines[0]
    assert len(lines) >= 2


@every_model
def test_staff_without_rights_see_nothing(model):
    row, client = a_row(model), Client()
    client.force_login(User.objects.create_user("clerk@example.com", "a long password", is_staff=True))
    pages = [page(model), page(model, "export"), page(model, "change", row.pk), page(model, "add")]
    assert {client.get(each).status_code for each in pages} == {403}


@every_model
def test_a_lookup_that_no_filter_offers_is_turned_away(desk, model):
    field = model._meta.pk.name
    answer = desk.get(page(model), {f"{field}__contains": "1"})
    assert (answer.status_code, answer["Location"]) == (302, f"{page(model)}?e=1")
