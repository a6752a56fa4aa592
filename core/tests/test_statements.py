"""A statement is built once and answers for whatever values it is given."""

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from core.statements import Parameter, Statement, ask, columns_of, model_of


@pytest.fixture
def by_email(db):
    built = []

    def build():
        built.append(1)
        return User.objects.filter(email=Parameter("email"), is_active=True).values_list(*columns_of(User))

    statement = Statement(build, tail="LIMIT %s")
    yield statement
    assert len(built) == 1


def test_each_call_finds_what_its_own_values_name(by_email):
    for name in ("a", "b"):
        User.objects.create_user(f"{name}@example.com", full_name=name)
    found = [by_email.rows(5, email=f"{name}@example.com") for name in ("a", "b", "c")]
    assert [[model_of(User, row).full_name for row in rows] for rows in found] == [["a"], ["b"], []]


def test_a_row_becomes_the_model_that_the_orm_would_give(by_email, user):
    made = model_of(User, by_email.rows(1, email=user.email)[0])
    loaded = User.objects.get(pk=user.pk)
    assert {name: getattr(made, name) for name in columns_of(User)} == {
        name: getattr(loaded, name) for name in columns_of(User)
    }
    assert not made._state.adding


def test_a_model_may_be_made_of_some_columns_and_fetches_the_others_when_asked(user):
    some = {"id", "full_name"}
    statement = Statement(lambda: User.objects.filter(pk=Parameter("id")).values_list(*columns_of(User, only=some)))
    [row] = statement.rows(id=user.pk)
    made = model_of(User, row, only=some)
    assert (made.pk, made.full_name) == (user.pk, user.full_name)
    assert made.get_deferred_fields() == set(columns_of(User)) - some
    assert made.email == user.email


def test_whoever_reads_djangos_query_log_sees_it_with_its_values(by_email, user):
    with CaptureQueriesContext(connection) as queries:
        by_email.rows(7, email=user.email)
    assert user.email in queries[0]["sql"]
    assert queries[0]["sql"].endswith("LIMIT 7")


def test_it_is_prepared_by_the_connection(by_email, user):
    for _ in range(3):
        by_email.rows(1, email=user.email)
    kept = ask("SELECT statement FROM pg_prepared_statements WHERE statement LIKE %s", ["%accounts_user%LIMIT%"])
    assert len(kept) == 1


@pytest.mark.django_db
def test_a_failure_of_the_database_is_djangos():
    with pytest.raises(DataError):
        ask("SELECT 1 / %s", [0])
