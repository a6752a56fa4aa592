"""Quota under fire: many processes and threads at one counter of one real PostgreSQL."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from typing import Any
from urllib.parse import quote
from uuid import UUID

import django
import pytest
from django.db import connection, transaction

from accounts.models import Plan, Subscription, UsageEntry, UsageKind, User, UserUsage
from accounts.tests.test_usage import entered, make_user, refusal, spend, used
from accounts.usage import get_user_subscription, give_back
from core.errors import LimitReached

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
PROCESSES, THREADS = 3, 8
URLS = UsageKind.URL_LOOKUPS.value
Processes = list[ProcessPoolExecutor]
Work = Callable[[UUID, list[str]], Counter[Any]]


@pytest.fixture(scope="module")
def processes(django_db_setup: None) -> Iterator[Processes]:
    """Interpreters of their own, with nothing in common with this one but the database."""
    database = connection.settings_dict
    url = f"postgresql://postgres@{quote(database['HOST'], safe='')}/{database['NAME']}"
    with ExitStack() as running, pytest.MonkeyPatch.context() as environment:
        environment.setenv("DATABASE_URL", url)
        environment.setenv("DJANGO_SETTINGS_MODULE", "config.settings")
        start = partial(ProcessPoolExecutor, 1, mp_context=get_context("spawn"), initializer=django.setup)
        pools = [running.enter_context(start()) for _ in range(PROCESSES)]
        # All of them are up before the first test begins, so that they work side by side.
        assert len({ready.result(timeout=60) for ready in [pool.submit(os.getpid) for pool in pools]}) == PROCESSES
        yield pools


def in_threads(act: Callable[[str], Any], things: list[str]) -> Counter[Any]:
    """Do it to each thing, several at a time, and count the answers."""
    with ThreadPoolExecutor(THREADS, initializer=connection.ensure_connection) as threads:
        answers = Counter(threads.map(partial(answer_of, act), things))
        list(threads.map(hang_up, range(THREADS)))
    return answers


def answer_of(act: Callable[[str], Any], thing: str) -> Any:
    try:
        return act(thing)
    except LimitReached as refused:
        details = refused.details
        assert details["used"] + details["requested"] > details["limit"]
        return "refused"


def hang_up(_: int) -> None:
    # Long enough that each thread takes one.
    time.sleep(0.02)
    connection.close()


def deal(processes: Processes, work: Work, user: User, things: list[str]) -> list[Future[Counter[Any]]]:
    """Hand each process its share of the work."""
    return [process.submit(work, user.pk, things[number::PROCESSES]) for number, process in enumerate(processes)]


def answers_of(futures: list[Future[Counter[Any]]]) -> Counter[Any]:
    return sum((future.result(timeout=60) for future in futures), Counter[Any]())


# What the processes do


def spend_all(user_id: UUID, sources: list[str]) -> Counter[Any]:
    user = User.objects.get(pk=user_id)

    def act(source: str) -> str:
        spend(user, source)
        return "spent"

    return in_threads(act, sources)


def spend_in_transactions(user_id: UUID, sources: list[str]) -> Counter[Any]:
    user = User.objects.get(pk=user_id)

    def act(source: str) -> int:
        with transaction.atomic():
            spend(user, source)
            # Were the transaction broken, this would fail.
            return Subscription.objects.filter(user=user).count()

    return in_threads(act, sources)


def spend_and_give_back(user_id: UUID, sources: list[str]) -> Counter[Any]:
    user, chance = User.objects.get(pk=user_id), random.Random(sources[0])

    def act(source: str) -> str:
        spend(user, source)
        if chance.random() < 0.4:
            return "returned" if give_back(source=source, kind=URLS) else "was returned"
        return "spent"

    return in_threads(act, sources)


def provision(user_id: UUID, sources: list[str]) -> Counter[Any]:
    user = User.objects.get(pk=user_id)
    return in_threads(lambda _: get_user_subscription(user).pk, sources)


# What must hold


def test_200_parallel_spends_let_exactly_10_through(processes: Processes) -> None:
    user = make_user(max_analyses_per_day=10)
    posts = [f"post:{number}" for number in range(200)]
    answers = answers_of(deal(processes, spend_all, user, posts))
    assert answers == {"spent": 10, "refused": 190}
    assert used(user) == entered(user) == 10


def test_200_parallel_spends_of_somebody_never_seen_let_exactly_5_through(processes: Processes) -> None:
    user = User.objects.create_user(email="new@example.com")
    posts = [f"post:{number}" for number in range(200)]
    answers = answers_of(deal(processes, spend_all, user, posts))
    assert answers == {"spent": 5, "refused": 195}
    assert user.subscriptions.count() == user.usage.count() == 1


def test_1000_spends_duplicates_and_give_backs_never_pass_the_limit(processes: Processes) -> None:
    user = make_user(max_analyses_per_day=100)
    chance = random.Random(25)
    sources = [f"post:{chance.randrange(400)}" for _ in range(1000)]
    futures = deal(processes, spend_and_give_back, user, sources)
    samples = 0
    while wait(futures, timeout=0.02).not_done:
        count, kept = counter_and_entries(user)
        assert count == kept <= 100
        samples += 1
    answers = answers_of(futures)
    assert samples > 5
    assert sum(answers.values()) == 1000
    assert min(answers[what] for what in ("spent", "returned", "refused")) > 0
    assert used(user) == entered(user)
    fill(user, 100)


def counter_and_entries(user: User) -> tuple[int, int]:
    """Both in one statement, hence at one moment."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT COALESCE((SELECT sum(url_lookups) FROM accounts_userusage WHERE user_id = %(user)s), 0),
                COALESCE((SELECT sum(amount) FROM accounts_usageentry
                    WHERE user_id = %(user)s AND given_back_at IS NULL), 0)
            """,
            {"user": user.pk},
        )
        count, kept = cursor.fetchone()
    return count, kept


def fill(user: User, limit: int) -> None:
    """What is left is spendable to the last unit, and not beyond it."""
    for number in range(limit - used(user)):
        spend(user, f"last:{number}")
    refusal(user, "beyond")


def test_a_few_sources_spent_and_returned_by_everybody_stay_true(processes: Processes) -> None:
    user = make_user()
    sources = [f"post:{number % 3}" for number in range(1200)]
    answers = answers_of(deal(processes, spend_and_give_back, user, sources))
    assert sum(answers.values()) == 1200
    assert used(user) == entered(user) <= 3
    assert UsageEntry.objects.filter(user=user).count() == 3


@pytest.mark.parametrize("work", [spend_all, spend_in_transactions])
def test_one_source_spent_by_everybody_at_once_counts_once(processes: Processes, work: Work) -> None:
    user = make_user(max_analyses_per_day=20)
    sources = [f"post:{number // 32}" for number in range(20 * 32)]
    answers = answers_of(deal(processes, work, user, sources))
    assert sum(answers.values()) == 640
    assert "refused" not in answers
    assert used(user) == entered(user) == 20


@pytest.fixture
def slow_counter(transactional_db: None) -> Iterator[None]:
    """Whoever changes a counter holds its lock for a while before going on."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END $$;
            CREATE TRIGGER linger BEFORE UPDATE ON accounts_userusage FOR EACH ROW EXECUTE FUNCTION linger();
            """
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER linger ON accounts_userusage; DROP FUNCTION linger();")


def test_a_late_duplicate_and_a_give_back_do_not_wait_for_each_other(slow_counter: None) -> None:
    user = make_user()
    spend(user, "post:0")

    def late(act: Callable[[], Any]) -> Any:
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        with transaction.atomic():
            spend(user, "post:1")
            duplicate = threads.submit(late, partial(spend, user, "post:1"))
            # It looks, sees nothing of ours yet, and waits for the counter.
            time.sleep(0.15)
        time.sleep(0.1)
        returned = threads.submit(late, partial(give_back, source="post:1", kind=URLS))
        assert returned.result(timeout=10)
        assert duplicate.result(timeout=10)
    assert used(user) == entered(user)


def test_a_plan_changed_meanwhile_neither_breaks_the_count_nor_lets_more_through(processes: Processes) -> None:
    user = make_user(max_analyses_per_day=400)
    plan = get_user_subscription(user).plan
    posts = [f"post:{number}" for number in range(1000)]
    futures = deal(processes, spend_all, user, posts)
    while used(user) < 50 and wait(futures, timeout=0.005).not_done:
        continue
    Plan.objects.filter(pk=plan.pk).update(max_analyses_per_day=10)
    answers = answers_of(futures)
    assert 50 <= answers["spent"] < 400
    assert answers["spent"] == used(user) == entered(user)


def test_50_first_requests_start_a_user_on_free_once(processes: Processes) -> None:
    user = User.objects.create_user(email="new@example.com")
    answers = answers_of(deal(processes, provision, user, ["request"] * 51))
    assert answers == {user.subscriptions.get().pk: 51}
    assert UserUsage.objects.count() == 0
