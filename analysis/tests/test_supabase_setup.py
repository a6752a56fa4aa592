"""Who sees what of a database at Supabase: looked at with the browsers' roles and claims, in a real PostgreSQL."""

import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError
from django.db import ProgrammingError, connection
from django.utils import timezone

from accounts.models import User
from analysis.models import AnalysisStatusHistory
from analysis.tests.browsing import (
    HISTORY,
    POSTS,
    REQUESTS,
    SUPABASE,
    WATCHED,
    about,
    claims_of,
    ids_seen,
    look,
    make_told,
    run,
    set_up,
)
from feedback.models import Feedback
from logs.partitions import ensure_partitions

pytestmark = pytest.mark.django_db

RELATIONS = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S')"
# Everything about tables, grants, policies, functions and triggers, as PostgreSQL itself keeps it.
CATALOGUE = """
SELECT 'table', oid::regclass::text, relrowsecurity::text, relacl::text FROM pg_class WHERE relkind IN ('r', 'p', 'S')
    AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
UNION ALL SELECT 'column', attrelid::regclass::text, attname, attacl::text FROM pg_attribute WHERE attacl IS NOT NULL
UNION ALL SELECT 'policy', polname, polrelid::regclass::text, pg_get_expr(polqual, polrelid) FROM pg_policy
UNION ALL SELECT 'trigger', tgname, tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger
UNION ALL SELECT 'function', proname, md5(prosrc), proacl::text FROM pg_proc
UNION ALL SELECT 'schema', nspname, '', nspacl::text FROM pg_namespace
UNION ALL SELECT 'default', defaclobjtype::text, '', defaclacl::text FROM pg_default_acl
UNION ALL SELECT 'role', rolname, '', '' FROM pg_roles
"""


@pytest.fixture
def bare(db):
    """A database as it is at Supabase, before anything is set up. The test's rollback removes it, the roles too."""
    run(SUPABASE)


@pytest.fixture
def ready(bare):
    set_up("--apply")


@pytest.fixture
def local(ready, user):
    return user


@pytest.fixture
def clerk(ready):
    return User.objects.create_user("clerk@example.com", provider="clerk", provider_id="user_2abcDEF")


def test_before_the_set_up_anybody_reads_everything(bare, user):
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


def test_the_row_id_of_a_clerk_user_and_the_e_mail_of_anybody_are_no_subjects(local, clerk):
    make_told(local)
    make_told(clerk)
    for subject in (str(clerk.pk), clerk.email, local.email):
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


def test_everything_of_ours_is_closed_and_the_owner_is_not_bound(local):
    kinds = run("""SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')""")
    assert len(kinds) > 70
    assert {(secured, forced) for _, secured, forced in kinds} == {(True, False)}
    assert run("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef") == []
    request, _ = make_told(local)
    assert AnalysisStatusHistory.objects.filter(request=request).count() == 1


def test_a_month_that_is_made_later_is_closed_from_its_first_moment(local):
    made = ensure_partitions(datetime(2031, 11, 15, tzinfo=UTC))
    assert len(made) >= 4
    for partition in made:
        assert run("SELECT relrowsecurity FROM pg_class WHERE oid = %s::regclass", partition) == [(True,)]
        with pytest.raises(ProgrammingError, match="permission denied"):
            look(about("SELECT count(*) FROM {}", partition), claims_of(local))


def test_a_table_of_a_later_release_is_closed_and_gets_its_security_with_the_next_run(local):
    with connection.schema_editor() as editor:
        editor.delete_model(Feedback)
        editor.create_model(Feedback)
    with pytest.raises(ProgrammingError, match="permission denied"):
        look("SELECT count(*) FROM feedback_feedback", claims_of(local))
    assert "+ row level security on feedback_feedback\n" in set_up()
    set_up("--apply")
    assert run("SELECT relrowsecurity FROM pg_class WHERE relname = 'feedback_feedback'") == [(True,)]


def test_without_apply_nothing_changes_and_everything_is_told(bare):
    before = run(CATALOGUE)
    told = set_up()
    assert run(CATALOGUE) == before
    for line in (
        "+ row level security on accounts_user",
        "- grant on accounts_user to anon",
        "- grant on new tables to anon",
        f"+ policy whyral_own on {POSTS}",
        f"+ trigger whyral_broadcast on {HISTORY}",
        "+ policy whyral_status on realtime.messages",
        "--apply does it",
    ):
        assert line in told


def test_a_second_run_changes_nothing(ready):
    before = sorted(map(str, run(CATALOGUE)))
    assert set_up() == "Everything is as it should be.\n"
    assert set_up("--apply") == "Everything is as it should be.\n"
    assert sorted(map(str, run(CATALOGUE))) == before


def test_what_somebody_changed_by_hand_is_told_and_put_right(local, clerk):
    theirs, _ = make_told(clerk)
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run(f"ALTER POLICY whyral_own ON {REQUESTS} USING (true); GRANT ALL ON accounts_user TO anon")
    assert theirs.pk in ids_seen(REQUESTS, claims_of(local))
    told = set_up("--apply")
    assert f"~ policy whyral_own on {REQUESTS}" in told
    assert "- grant on accounts_user to anon" in told
    assert ids_seen(REQUESTS, claims_of(local)) == set()


@pytest.mark.parametrize(
    ("by_hand", "words"),
    [
        (f"CREATE POLICY everybody ON {POSTS} FOR SELECT USING (true)", f"policy everybody on {POSTS} is not ours"),
        ("GRANT SELECT (email) ON accounts_user TO PUBLIC", "anon may read email of accounts_user"),
        (f"GRANT DELETE ON {POSTS} TO PUBLIC", f"authenticated may write to {POSTS}"),
        ("ALTER ROLE anon BYPASSRLS", "row level security does not bind anon"),
    ],
)
def test_what_it_cannot_close_it_complains_of(ready, by_hand, words):
    run(by_hand)
    with pytest.raises(CommandError, match=words):
        set_up("--apply")


def test_a_database_that_is_not_supabase_s_is_left_alone_unless_roles_are_asked_for(user):
    run("DROP ROLE IF EXISTS anon, authenticated")
    before = run(CATALOGUE)
    for options in ([], ["--apply"], ["--remove", "--apply"]):
        with pytest.raises(CommandError, match=r"no roles anon and authenticated .* --create-roles"):
            set_up(*options)
    assert "+ role anon" in set_up("--create-roles")
    assert run(CATALOGUE) == before
    set_up("--create-roles", "--apply")
    assert (
        run("SELECT rolcanlogin, rolbypassrls FROM pg_roles WHERE rolname IN ('anon', 'authenticated')")
        == [(False, False)] * 2
    )
    request, _ = make_told(user)
    assert ids_seen(REQUESTS, claims_of(user)) == {request.pk}


def test_the_way_back_leaves_nothing_of_ours_and_opens_nothing(bare, user):
    ours = "SELECT count(*) FROM pg_policy WHERE polname LIKE 'whyral%'"
    secured = "SELECT count(*) FROM pg_class WHERE relrowsecurity AND relnamespace = 'public'::regnamespace"
    set_up("--apply")
    assert run(ours) == [(4,)]
    before = run(CATALOGUE)
    assert "- policy whyral_own" in set_up("--remove")
    assert run(CATALOGUE) == before
    set_up("--remove", "--apply")
    assert run(ours) == run(secured) == run("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'whyral%'") == [(0,)]
    assert run("SELECT to_regnamespace('whyral')") == [(None,)]
    make_told(user)
    for role in ("anon", "authenticated"):
        for table in (*WATCHED, "accounts_user", "logs_applog_default"):
            with pytest.raises(ProgrammingError, match="permission denied"):
                look(about("SELECT count(*) FROM {}", table), claims_of(user), role=role)
    assert set_up("--remove", "--apply") == "Everything is as it should be.\n"


def test_who_may_not_change_it_is_told_why_and_changes_nothing(bare):
    run("CREATE ROLE somebody; GRANT anon, authenticated TO somebody; SET LOCAL ROLE somebody")
    with pytest.raises(CommandError, match=r"Nothing was changed\. PostgreSQL says: permission denied|must be owner"):
        set_up("--apply")
    run("RESET ROLE")
    assert run("SELECT to_regnamespace('whyral')") == [(None,)]
