"""Any order of what can happen to a request's posts, beside a model of a few lines that says what must come of it.

The statements are the engine's own, on PostgreSQL. Time moves only where a rule moves it, in the rows.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Sum
from django.utils import timezone
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from accounts.models import Plan, Subscription, UsageEntry, UsageKind, User, UserUsage
from accounts.usage import increment_usage
from analysis import engine, services
from analysis.engine import Moved, Used, Work, Wrong, unit_of
from analysis.errors import AlreadyOver, NothingToRetry
from analysis.models import MAX_RETRIES, OPEN, AnalysisStatusHistory, PostAnalysis, StageRun
from analysis.tests.fakes import make_request
from analysis.tests.modelled import PROGRESS, STAGES, WAY, Modelled
from core.ids import uuid7

pytestmark = pytest.mark.django_db
WRONG = Wrong(category="timeout", code="vendor_timeout", message="It took too long.")
LONG = timedelta(days=1)
places, calls = st.integers(0, 2), st.integers(0, 2)


class Interleavings(RuleBasedStateMachine):
    """Claims, crashes, copies of messages, endings of every kind by holders old and new, and what people do."""

    @initialize(count=st.integers(1, 3))
    def begin(self, count: int) -> None:
        self.user = User.objects.create_user(email=f"{uuid7()}@example.com")
        limits = {"max_handles": 0, "max_urls": 3, "max_analyses_per_day": count, "max_questions_per_day": 0}
        plan = Plan.objects.create(slug=str(uuid7()), name="As many as asked for", price=0, **limits)
        Subscription.objects.create(user=self.user, plan=plan)
        self.request, self.posts = make_request(self.user, posts=count, stage=STAGES[0])
        for post in self.posts:
            increment_usage(self.user, UsageKind.URL_LOOKUPS, platform="x", source=unit_of(post.pk))
        self.models = [Modelled() for _ in self.posts]
        self.works: list[Work] = []
        self.retries, self.openings, self.calls = 0, 1, 0

    # What the broker and the clock do

    @rule(place=places, queue=st.sampled_from(["io", "cpu"]))
    def deliver(self, place: int, queue: str) -> None:
        """A message comes, for the first time or again."""
        post, model = self.pick(place)
        begins = {name: ("fetching_posts", "It begins.") for name in STAGES if WAY[name] == queue}
        work = engine.claim(post.pk, begins=begins)
        assert (work is not None) == (model.is_due and WAY[model.stage] == queue)
        if work:
            model.claim()
            assert (work.stage, work.fence, work.tries) == (model.stage, model.fence, model.tries)
            self.works.append(work)

    @rule(place=places)
    def crash(self, place: int) -> None:
        """Nobody renews the lease any more; what its holder still says may come late, or never."""
        post, model = self.pick(place)
        if model.held:
            PostAnalysis.objects.filter(pk=post.pk).update(lease_until=timezone.now() - LONG)
            model.held = False

    @rule(place=places)
    def pass_the_time(self, place: int) -> None:
        post, model = self.pick(place)
        if model.waits:
            PostAnalysis.objects.filter(pk=post.pk).update(run_after=timezone.now() - LONG)
            model.waits = False

    @rule()
    def sweep(self) -> None:
        PostAnalysis.objects.filter(request=self.request).update(hinted_at=timezone.now() - 2 * LONG)
        assert self.due() == {post.pk: model.stage for post, model in self.pairs() if model.is_due}
        assert self.due() == {}

    @rule(place=places)
    def wake(self, place: int) -> None:
        post, model = self.pick(place)
        concerned = model.status == "PROCESSING" and model.stage == STAGES[0] and (model.leased or model.waits)
        woken = engine.wake(stage=STAGES[0], platform="x", keys=[post.platform_post_id], authors=False)
        assert (post.pk in woken) == (concerned and not model.leased)
        if concerned:
            model.woken, model.waits = model.fence, False

    # What holders say, those that were given up included

    @rule(which=places, calls=calls)
    def hand_in(self, which: int, calls: int) -> None:
        for model, work, ours in self.take(which):
            last = work.stage == STAGES[-1]
            moved = engine.complete(work, used(calls), result={}) if last else check_in(work, used(calls))
            assert moved.ours == ours
            self.calls += calls if ours else 0
            if ours and last:
                model.done.add(work.stage)
                model.end("COMPLETED")
            elif ours and model.go_on():
                self.works.append(replace(work, stage=model.stage, tries=1, progress=model.progress))

    @rule(which=places, calls=calls, spent=st.booleans())
    def put_off(self, which: int, calls: int, spent: bool) -> None:
        """The vendor is not ready, or failed in passing."""
        for model, work, ours in self.take(which):
            wrong = WRONG if spent else Wrong()
            moved = engine.pause(work, used(calls), seconds=LONG.total_seconds(), spent=spent, wrong=wrong)
            woken = model.woken == work.fence
            assert (moved.ours, moved.woken) == (ours, ours and woken)
            if ours:
                self.calls += calls
                model.let_go(waits=not woken)
                model.tries -= not spent

    @rule(which=places, calls=calls)
    def fail(self, which: int, calls: int) -> None:
        for model, work, ours in self.take(which):
            assert engine.fail(work, used(calls), WRONG).ours == ours
            if ours:
                self.calls += calls
                model.end("FAILED")
                model.unit = False

    @rule(which=places)
    def renew(self, which: int) -> None:
        for model, work, ours in self.take(which):
            engine.renew({work.id: work.fence})
            model.held = model.held or ours
            self.works.append(work)

    # What people do

    @rule()
    def retry(self) -> None:
        failed = [model for model in self.models if model.status == "FAILED"]
        if self.is_open() or not failed or self.retries == MAX_RETRIES:
            with pytest.raises(NothingToRetry):
                services.retry(self.user, self.request.pk)
            return
        services.retry(self.user, self.request.pk)
        self.retries, self.openings = self.retries + 1, self.openings + 1
        for model in failed:
            model.begin_again(model.stage)
            model.unit = True

    @rule()
    def cancel(self) -> None:
        if not self.is_open():
            with pytest.raises(AlreadyOver):
                services.cancel(self.user, self.request.pk)
            return
        services.cancel(self.user, self.request.pk)
        for model in self.models:
            if model.is_open:
                model.end("CANCELLED")
                model.fence, model.unit = model.fence + 1, model.unit and model.begun

    @rule(place=places, stage=st.sampled_from(STAGES))
    def run_again(self, place: int, stage: str) -> None:
        """The team does it, and nothing is spent."""
        post, model = self.pick(place)
        stage = min(stage, model.stage, key=STAGES.index)
        assert services.run_again(post.pk, stage) == (not model.is_open)
        if not model.is_open:
            self.openings += not self.is_open()
            model.begin_again(stage)

    # What must hold, always

    @invariant()
    def posts_and_runs_are_as_the_model_says(self) -> None:
        for post, model in self.pairs():
            post.refresh_from_db()
            said = (post.status, post.stage, post.fence, post.tries, post.progress)
            assert said == (model.status, model.stage, model.fence, model.tries, model.progress)
            assert (post.lease_until is not None, post.finished_at is None) == (model.leased, model.is_open)
            assert (post.run_after is not None and post.run_after > timezone.now()) == model.waits
            runs = Counter(StageRun.objects.filter(post_analysis=post).values_list("outcome", "stage"))
            assert {stage: count for (outcome, stage), count in runs.items() if outcome == "done"} == dict.fromkeys(
                model.done, 1
            )
            running = {stage: count for (outcome, stage), count in runs.items() if outcome == "running"}
            assert running == ({model.stage: 1} if model.running else {})

    @invariant()
    def the_request_counts_its_posts(self) -> None:
        self.request.refresh_from_db()
        still_open = sum(model.is_open for model in self.models)
        assert (self.request.open_posts, self.request.posts_processed) == (still_open, len(self.models) - still_open)
        assert self.request.progress_points == sum(model.progress for model in self.models)
        assert (self.request.status in OPEN) == (still_open > 0) == (self.request.finished_at is None)
        runs = StageRun.objects.filter(post_analysis__in=self.posts)
        told = runs.aggregate(calls=Sum("calls", default=0), cost=Sum("cost_micros", default=0))
        counted = {"calls": self.request.total_api_calls, "cost": self.request.cost_micros}
        assert counted == told == {"calls": self.calls, "cost": 10 * self.calls}

    @invariant()
    def it_has_ended_once_for_each_time_it_was_opened(self) -> None:
        ends = AnalysisStatusHistory.objects.filter(request=self.request, post_analysis=None, progress=100)
        assert ends.count() == self.openings - self.is_open()

    @invariant()
    def units_used_are_those_that_were_not_given_back(self) -> None:
        kept = sum(model.unit for model in self.models)
        assert UserUsage.objects.filter(user=self.user).aggregate(used=Sum("url_lookups"))["used"] == kept
        assert UsageEntry.objects.filter(user=self.user, given_back_at=None).count() == kept

    def teardown(self) -> None:
        """Whatever went before: workers that live, and clocks that go on, bring every post to its end."""
        for place, model in enumerate(getattr(self, "models", [])):
            while model.is_open:
                self.crash(place)
                self.pass_the_time(place)
                self.deliver(place, WAY[model.stage])
                self.hand_in(-1, 1)
        if hasattr(self, "models"):
            self.check_invariants_again()

    def check_invariants_again(self) -> None:
        self.posts_and_runs_are_as_the_model_says()
        self.the_request_counts_its_posts()
        self.it_has_ended_once_for_each_time_it_was_opened()
        self.units_used_are_those_that_were_not_given_back()

    def pairs(self) -> Iterator[tuple[PostAnalysis, Modelled]]:
        return zip(self.posts, self.models, strict=True)

    def pick(self, place: int) -> tuple[PostAnalysis, Modelled]:
        return self.posts[place % len(self.posts)], self.models[place % len(self.posts)]

    def is_open(self) -> bool:
        return any(model.is_open for model in self.models)

    def due(self) -> dict[Any, str]:
        mine = {post.pk for post in self.posts}
        return {
            post: stage
            for post, stage in engine.due(stages=STAGES, most=100, rest=timedelta(seconds=10))
            if post in mine
        }

    def take(self, which: int) -> Iterator[tuple[Modelled, Work, bool]]:
        """Somebody who holds, or held, a post, and whether their word still counts; nobody where there is none."""
        if self.works:
            work = self.works.pop(which % len(self.works))
            model = next(model for post, model in self.pairs() if post.pk == work.id)
            ours = (model.status, model.stage, model.fence) == ("PROCESSING", work.stage, work.fence)
            yield model, work, ours


def check_in(work: Work, used: Used) -> Moved:
    following = STAGES[STAGES.index(work.stage) + 1]
    telling = [("analyzing", "It goes on.")]
    return engine.checkpoint(
        work, used, next_stage=following, keeps=WAY[following] == WAY[work.stage], progress=PROGRESS[work.stage],
        post_id=None, telling=telling,
    )  # fmt: skip


def used(calls: int) -> Used:
    return Used(calls=calls, cost=calls * 10)


def test_any_order_of_events_agrees_with_a_simple_model() -> None:
    cases = int(os.environ.get("FUZZ_CASES", "25"))
    effort = hypothesis_settings(max_examples=cases, stateful_step_count=25, deadline=None, database=None)
    run_state_machine_as_test(Interleavings, settings=effort)
