"""How an analysis' history goes out through Supabase Realtime: to its owner, and never at the pipeline's cost."""

import json
import threading
import time

import pytest
from django.core.management import CommandError
from django.db import connection, transaction

from accounts.models import User
from analysis import events, pipeline
from analysis.models import AnalysisStatusHistory
from analysis.tests.browsing import HISTORY, SUPABASE, about, claims_of, look, make_told, run, set_up
from analysis.tests.fakes import Fake, make_request, stages_of

SENT = "SELECT topic, event, private, extension, payload FROM realtime.messages ORDER BY (payload->>'id')::int"
# What Realtime asks when somebody joins a topic: whether they may read a message of it.
MAY_LISTEN = "SELECT extension FROM realtime.messages ORDER BY 1"
WORDS = ["one_begins", "two_begins", "analysis_complete"]


def carry(user):
    request, [post] = make_request(user)
    pipeline.advance(post.pk, "io", stages=stages_of(Fake("one"), Fake("two", progress=100)))
    request.refresh_from_db()
    assert request.status == "COMPLETED"
    return request


def words_of(request):
    return list(AnalysisStatusHistory.objects.filter(request=request).order_by("id").values_list("stage", flat=True))


def test_each_step_goes_out_as_it_is_in_the_history(supabase_ready, user):
    request = carry(user)
    sent = [(*row, json.loads(payload)) for *row, payload in run(SENT)]
    assert {row[:4] for row in sent} == {(f"analysis:{request.pk}", "status", True, "broadcast")}
    assert [row[4]["stage"] for row in sent] == words_of(request) == WORDS
    for row, *_, payload in zip(
        AnalysisStatusHistory.objects.order_by("id").values(), (row[4] for row in sent), strict=True
    ):
        assert payload.keys() == {*events.OF_ROW, "request_id"}
        assert {name: str(value) for name, value in payload.items() if name != "created_at"} == {
            name: str(value) for name, value in row.items() if name != "created_at"
        }
        assert payload["created_at"].startswith(row["created_at"].strftime("%Y-%m-%dT%H:%M:%S"))


def test_only_the_owner_may_listen_and_only_to_what_is_sent(supabase_ready, user):
    request, _ = make_told(user)
    other = User.objects.create_user("other@example.com", provider="clerk", provider_id="user_2other")
    run("INSERT INTO realtime.messages (topic, extension) VALUES ('x', 'presence')")
    topic = f"analysis:{request.pk}"
    assert look(MAY_LISTEN, claims_of(user), topic=topic) == [("broadcast",)]
    for claims, role in ((claims_of(other), "authenticated"), (None, "authenticated"), ("{", "authenticated"),
                         (claims_of(user), "anon")):  # fmt: skip
        assert look(MAY_LISTEN, claims, role=role, topic=topic) == []
    theirs, _ = make_told(other)
    assert look(MAY_LISTEN, claims_of(user), topic=f"analysis:{theirs.pk}") == []
    assert len(look(MAY_LISTEN, claims_of(other), topic=f"analysis:{theirs.pk}")) == 2


@pytest.mark.parametrize("form", ["", "{}", "x:{}", "analysis:", "analysis:{} ", "analysis:{}:x", "Analysis:{}",
                                  "analysis:*", "analysis:nothing", "\nanalysis:{}"])  # fmt: skip
def test_other_topics_are_nobody_s(supabase_ready, user, form):
    request, _ = make_told(user)
    assert look(MAY_LISTEN, claims_of(user), topic=form.format(request.pk)) == []


def test_nobody_may_send(supabase_ready, user):
    request, _ = make_told(user)
    with pytest.raises(Exception, match="row-level security"):
        look(
            "INSERT INTO realtime.messages (topic, extension) VALUES ('x', 'broadcast') RETURNING id",
            claims_of(user), topic=f"analysis:{request.pk}",
        )  # fmt: skip


@pytest.mark.parametrize(
    "fault",
    [
        "DROP SCHEMA realtime CASCADE",
        "DROP FUNCTION realtime.send",
        "DROP FUNCTION realtime.send; CREATE FUNCTION realtime.send(payload json) RETURNS void LANGUAGE sql AS ''",
        "DROP TABLE realtime.messages CASCADE",
        "ALTER TABLE realtime.messages ADD CHECK (false)",
        """CREATE OR REPLACE FUNCTION realtime.send(payload jsonb, event text, topic text, private boolean DEFAULT true)
        RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$""",
        """CREATE ROLE keeper; GRANT CREATE, USAGE ON SCHEMA whyral TO keeper;
        GRANT keeper TO CURRENT_USER; ALTER FUNCTION whyral.broadcast_status() OWNER TO keeper""",
    ],
)
def test_the_pipeline_goes_on_whatever_realtime_does(supabase_ready, user, fault):
    run(fault)
    assert words_of(carry(user)) == WORDS
    if run("SELECT to_regclass('realtime.messages') IS NOT NULL") == [(True,)]:
        assert run(SENT) == []


def test_realtime_may_come_after_the_set_up(supabase, user):
    run("ALTER SCHEMA realtime RENAME TO later")
    assert "realtime.messages" not in set_up("--apply")
    assert words_of(carry(user)) == WORDS
    run("ALTER SCHEMA later RENAME TO realtime")
    assert "+ policy whyral_status on realtime.messages" in set_up("--apply")
    carry(user)


@pytest.fixture
def committed(transactional_db):
    """The same for whoever looks from another connection; everything is removed by hand."""
    run(SUPABASE)
    set_up("--apply")
    yield
    set_up("--remove", "--apply")
    run("DROP SCHEMA realtime CASCADE; DROP OWNED BY anon, authenticated; DROP ROLE anon, authenticated")


class Holder(threading.Thread):
    """Somebody who has a table to themselves, like Realtime when it changes the days that its table consists of."""

    def __init__(self, *table):
        super().__init__()
        self.table, self.holds, self.enough = table, threading.Event(), threading.Event()

    def run(self):
        try:
            with transaction.atomic():
                run(about("LOCK TABLE {}.{} IN ACCESS EXCLUSIVE MODE", *self.table))
                self.holds.set()
                self.enough.wait(30)
        finally:
            connection.close()

    def __enter__(self):
        self.start()
        assert self.holds.wait(10)
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.join()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_table_of_realtime_that_is_locked_holds_a_step_up_for_a_blink(committed, user):
    with Holder("realtime", "messages"):
        began = time.monotonic()
        request, _ = make_told(user)
        assert time.monotonic() - began < 1
    assert words_of(request) == ["one_begins"]
    assert run(SENT) == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_set_up_does_not_queue_for_a_table_that_is_in_use(committed):
    with Holder("public", HISTORY), pytest.raises(CommandError, match=r"Nothing was changed\..* lock timeout"):
        set_up("--apply")
    assert set_up() == "Everything is as it should be.\n"
