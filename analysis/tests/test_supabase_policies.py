"""Who sees what of a database at Supabase: looked at with the browsers' roles and claims, in a real PostgreSQL."""

import json

import pytest
from django.db import ProgrammingError
from django.utils import timezone

from accounts.models import User
from analysis.tests.browsing import HISTORY, POSTS, REQUESTS, WATCHED, about, claims_of, ids_seen, look, make_told, run

pytestmark = pytest.mark.django_db

RELATIONS = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S')"


@pytest.fixture
def local(supabase_ready, user):
    return user


@pytest.fixture
def clerk(supabase_ready):
    return User.objects.create_user("clerk@example.com", provider="clerk", provider_id="user_2abcDEF")


def test_before_the_set_up_anybody_reads_everything(supabase, user):
    assert ids_seen("accounts_user", role="anon") == {user.pk}


@pytest.mark.parametrize("watched", WATCHED)
@pytest.mark.parametrize(("own", "other"), [("local", "clerk"), ("clerk", "local")])
def test_people_see_their_own_rows_and_never_another_s(request, watched, own, other):
    mine, theirs = (make_told(request.getfixturevalue(name))[0] for name in (own, other))
    owner = "id" if watched == REQUESTS else "request_id"
    everything = dict(run(about("SELECT id, {} FROM {}", owner, watched)))
    assert set(everything.values()) == {mine.pk, theirs.pk}
    seen = ids_seen(watched, claims_of(request.getfixturevalue(own)))
    assert seen == {row for row, of in everything.items() if of == mine.pk}


@pytest.mark.parametrize("watched", WATCHED)
def test_a_request_s_http_id_opens_nothing(local, clerk, watched):
    """Requests have a `request_id` too, of which a careless policy would make the key of somebody's posts."""
    mine, _ = make_told(local)
    theirs, _ = make_told(clerk)
    type(mine).objects.filter(pk=mine.pk).update(request_id=str(theirs.pk))
    type(mine).objects.filter(pk=theirs.pk).update(request_id=str(theirs.pk))
    owner = "id" if watched == REQUESTS else "request_id"
    assert {of for (of,) in look(about("SELECT {} FROM {}", owner, watched), claims_of(local))} == {mine.pk}


@pytest.mark.parametrize(
    "claims",
    [
        None, "", " ", "{", "null", "[]", "7", '"text"', "{}", '{"sub": null}', '{"sub": 7}', '{"sub": ""}',
        '{"sub": {}}',
        '{"sub": "user_2abcDEF "}', '{"sub": "USER_2ABCDEF"}', '{"sub": "local"}', '{"sub": "%"}', "\ufeff{}",
        '{"sub": "00000000-0000-0000-0000-000000000000"}', '{"sub": "\' OR true --"}', '{"sub": "\\u0000"}',
        '{"user_id": "user_2abcDEF"}', '{"sub": ["user_2abcDEF"]}', '{"sub": 1e400000}', "[" * 20000,
        '{"sub": "' + "u" * 200_000 + '"}',
    ],
)  # fmt: skip
def test_claims_that_name_nobody_show_nothing_and_break_nothing(local, clerk, claims):
    make_told(local)
    make_told(clerk)
    assert [ids_seen(watched, claims) for watched in WATCHED] == [set(), set(), set()]


def test_nobody_is_known_by_anything_else_than_their_provider_knows_them_by(local, clerk):
    make_told(local)
    make_told(clerk)
    User.objects.filter(pk=local.pk).update(provider_id="user_local")
    for subject in (str(clerk.pk), clerk.email, local.email, "user_local"):
        assert ids_seen(REQUESTS, json.dumps({"sub": subject})) == set()


def test_a_subject_that_two_rows_answer_to_is_nobody(local, clerk):
    make_told(local)
    User.objects.filter(pk=clerk.pk).update(provider_id=str(local.pk))
    assert ids_seen(REQUESTS, claims_of(local)) == set()


@pytest.mark.parametrize("gone", [{"is_active": False}, {"erasure_asked_at": timezone.now()}])
def test_whoever_is_locked_out_or_asked_to_be_forgotten_sees_nothing(local, clerk, gone):
    for user in (local, clerk):
        make_told(user)
        assert ids_seen(HISTORY, claims_of(user)) != set()
        User.objects.filter(pk=user.pk).update(**gone)
        assert [ids_seen(watched, claims_of(user)) for watched in WATCHED] == [set(), set(), set()]


def test_anonymous_browsers_may_not_even_ask(local):
    make_told(local)
    for table in (*WATCHED, "accounts_user", "logs_applog", "django_migrations"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            look(about("SELECT count(*) FROM {}", table), claims_of(local), role="anon")


def test_browsers_read_the_three_tables_only_and_of_them_what_the_api_shows(local):
    make_told(local)
    tables = {name for (name,) in run(RELATIONS)}
    assert len(tables) > 90
    for table in tables - {*WATCHED}:
        with pytest.raises(ProgrammingError, match="permission denied"):
            look(about("SELECT count(*) FROM {}", table), claims_of(local))
    for hidden in [(REQUESTS, "user_id"), (REQUESTS, "request_id"), (POSTS, "fence"), (POSTS, "lease_until")]:
        with pytest.raises(ProgrammingError, match="permission denied"):
            look(about("SELECT {1} FROM {0}", *hidden), claims_of(local))
    assert look(about("SELECT status, progress_points FROM {}", REQUESTS), claims_of(local)) != []
    assert look(about("SELECT verdict, cost_micros, error_message FROM {}", POSTS), claims_of(local)) != []


@pytest.mark.parametrize("role", ["anon", "authenticated"])
@pytest.mark.parametrize("watched", WATCHED)
def test_nobody_writes(local, role, watched):
    make_told(local)
    allowed = "SELECT DISTINCT cmd, roles::text FROM pg_policies WHERE policyname LIKE 'whyral%'"
    assert run(allowed) == [("SELECT", "{authenticated}")]
    for command in (
        "DELETE FROM {}",
        "UPDATE {} SET status = ''",
        "TRUNCATE {} CASCADE",
        "INSERT INTO {} DEFAULT VALUES",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            look(about(command, watched), claims_of(local), role=role)


def test_the_helper_cannot_be_called_and_is_asked_once_a_query(local):
    with pytest.raises(ProgrammingError, match="permission denied for schema"):
        look("SELECT whyral.signed_in()", claims_of(local))
    for _ in range(5):
        make_told(local)
    run("SET LOCAL track_functions = 'all'")
    asked = "SELECT COALESCE(sum(calls), 0) FROM pg_stat_xact_user_functions WHERE funcname = 'signed_in'"
    assert len(ids_seen(REQUESTS, claims_of(local))) == 5
    assert run(asked) == [(1,)]


@pytest.mark.parametrize("watched", [POSTS, HISTORY])
def test_whoever_asks_for_everything_reads_their_own_rows_only(local, watched):
    """Not the whole table, row by row, to throw away what is others'."""
    make_told(local)
    run("SET LOCAL enable_seqscan = off")
    plan = look(about("EXPLAIN SELECT id FROM {}", watched), claims_of(local))
    assert "Index Cond: (request_id = ANY" in str(plan)
