"""The post between a provider and us, and the days that go by for our rows."""

import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db.models import DateTimeField, F, Model
from django.db.models.functions import Now
from rest_framework.test import APIClient

from accounts.models import Subscription
from billing import inbox
from billing.models import BillingEvent
from billing.tests.tills import Till

DAY = timedelta(days=1)


def send(till: Till, event: Any) -> None:
    body, headers = till.signed(event)
    answer = APIClient().generic("POST", till.path, body, content_type="application/json", headers=headers)
    assert answer.status_code == 200, answer.content


def send_all(till: Till, events: Iterable[Any], chance: random.Random) -> None:
    """In any order, some of them twice."""
    copies = [event for event in events for _ in range(chance.randint(1, 2))]
    chance.shuffle(copies)
    for event in copies:
        send(till, event)


def work_off(chance: random.Random) -> None:
    """As workers do in any order, until nothing is left; nobody waits for a next try."""
    while waiting := [*BillingEvent.objects.filter(state="received").values_list("pk", flat=True)]:
        chance.shuffle(waiting)
        BillingEvent.objects.filter(pk__in=waiting).update(run_after=Now())
        for event_id in waiting:
            inbox.process(event_id)


def arrive(till: Till, seed: int = 0) -> None:
    """Everything that is on its way, and what follows from it."""
    chance = random.Random(seed)
    while events := till.take():
        send_all(till, events, chance)
        work_off(chance)


def move_rows(days: int) -> None:
    """Have our rows be so much older."""
    moved: list[type[Model]] = [Subscription, *apps.get_app_config("billing").get_models()]
    for model in moved:
        moments = [each.name for each in model._meta.get_fields() if isinstance(each, DateTimeField)]
        model._default_manager.update(**{name: F(name) - days * DAY for name in moments})


def pass_days(till: Till, days: int) -> None:
    """Time goes by for both; what the provider says of it is on its way."""
    for _ in range(days):
        till.pass_day()
    move_rows(days)
