"""What the set-up for Supabase changes, what it tells, what it leaves alone, and its way back."""

from datetime import UTC, datetime

import pytest
from django.core.management import CommandError
from django.db import ProgrammingError, connection

from accounts.models import User
from analysis.models import AnalysisStatusHistory
from analysis.tests.browsing import (
    HISTORY,
    POSTS,
    REQUESTS,
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


def test_everything_of_ours_is_closed_and_the_owner_is_not_bound(supabase_ready, user):
    kinds = run("""SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')""")
    assert len(kinds) > 70
    assert {(secured, forced) for _, secured, forced in kinds} == {(True, False)}
    assert run("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef") == []
    request, _ = make_told(user)
    assert AnalysisStatusHistory.objects.filter(request=request).count() == 1


def test_a_month_that_is_made_later_is_closed_from_its_first_moment(supabase_ready, user):
    made = ensure_partitions(datetime(2031, 11, 15, tzinfo=UTC))
    assert len(made) >= 4
    for partition in made:
        assert run("SELECT relrowsecurity FROM pg_class WHERE oid = %s::regclass", partition) == [(True,)]
        with pytest.raises(ProgrammingError, match="permission denied"):
            look(about("SELECT count(*) FROM {}", partition), claims_of(user))


def test_a_table_of_a_later_release_is_closed_and_gets_its_security_with_the_next_run(supabase_ready, user):
    with connection.schema_editor() as editor:
        editor.delete_model(Feedback)
        editor.create_model(Feedback)
    with pytest.raises(ProgrammingError, match="permission denied"):
        look("SELECT count(*) FROM feedback_feedback", claims_of(user))
    assert "+ row level security on feedback_feedback\n" in set_up()
    set_up("--apply")
    assert run("SELECT relrowsecurity FROM pg_class WHERE oid = 'feedback_feedback'::regclass") == [(True,)]


def test_without_apply_nothing_changes_and_everything_is_told(supabase):
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


def test_a_second_run_changes_nothing(supabase_ready):
    before = sorted(map(str, run(CATALOGUE)))
    assert set_up() == "Everything is as it should be.\n"
    assert set_up("--apply") == "Everything is as it should be.\n"
    assert sorted(map(str, run(CATALOGUE))) == before


def test_what_somebody_changed_by_hand_is_told_and_put_right(supabase_ready, user):
    theirs, _ = make_told(User.objects.create_user("other@example.com"))
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run(f"ALTER POLICY whyral_own ON {REQUESTS} USING (true); GRANT ALL ON accounts_user TO anon")
    assert theirs.pk in ids_seen(REQUESTS, claims_of(user))
    told = set_up("--apply")
    assert f"~ policy whyral_own on {REQUESTS}" in told
    assert "- grant on accounts_user to anon" in told
    assert ids_seen(REQUESTS, claims_of(user)) == set()


@pytest.mark.parametrize(
    ("by_hand", "words"),
    [
        (f"CREATE POLICY everybody ON {POSTS} FOR SELECT USING (true)", f"policy everybody on {POSTS} is not ours"),
        ("GRANT SELECT (email) ON accounts_user TO PUBLIC", "anon may read email of accounts_user"),
        (f"GRANT DELETE ON {POSTS} TO PUBLIC", f"authenticated may write to {POSTS}"),
        ("ALTER ROLE anon BYPASSRLS", "row level security does not bind anon"),
    ],
)
def test_what_it_cannot_close_it_complains_of(supabase_ready, by_hand, words):
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


def test_the_way_back_leaves_nothing_of_ours_and_opens_nothing(supabase, user):
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


def test_who_may_not_change_it_is_told_why_and_changes_nothing(supabase):
    run("CREATE ROLE somebody; GRANT anon, authenticated TO somebody; SET LOCAL ROLE somebody")
    with pytest.raises(CommandError, match=r"Nothing was changed\. PostgreSQL says: permission denied|must be owner"):
        set_up("--apply")
    run("RESET ROLE")
    assert run("SELECT to_regnamespace('whyral')") == [(None,)]
