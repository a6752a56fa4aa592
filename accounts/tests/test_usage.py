"""What a plan allows: spending, giving back and looking, one caller at a time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from pytest_django import Settings

from accounts import usage
from accounts.models import UNLIMITED, Plan, Subscription, UsageEntry, UsageKind, User, UserUsage
from accounts.usage import check_usage_limit, give_back, increment_usage, limits_of, usage_today
from core.errors import LimitReached, NotConfigured
from core.ids import uuid7

pytestmark = pytest.mark.django_db
URLS, QUESTIONS = UsageKind.URL_LOOKUPS.value, UsageKind.QUESTIONS_ASKED.value
LIMITED_BY = {"handle_analyses": "max_handles", URLS: "max_analyses_per_day", QUESTIONS: "max_questions_per_day"}


def make_user(**limits: int) -> User:
    """Somebody on a plan of their own, unlimited but for what is given."""
    allowed = dict.fromkeys(LIMITED_BY.values(), UNLIMITED) | limits
    user = User.objects.create_user(email=f"{uuid7()}@example.com")
    plan = Plan.objects.create(slug=str(uuid7()), name="Test", price=0, max_urls=3, **allowed)
    Subscription.objects.create(user=user, plan=plan)
    return user


def set_limit(user: User, limit: int) -> None:
    Plan.objects.filter(pk=usage.get_user_plan(user).pk).update(max_analyses_per_day=limit)


def spend(user: User, source: str, **fields: Any) -> int:
    return increment_usage(user, fields.pop("kind", URLS), platform=fields.pop("on", "x"), source=source, **fields).used


def spend_yesterday(user: User, source: str, amount: int) -> UserUsage:
    yesterday = usage_today(user)["day"] - timedelta(days=1)
    fields: dict[str, Any] = {"user": user, "day": yesterday, "platform": "x"}
    UsageEntry.objects.create(**fields, kind=URLS, source=source, amount=amount)
    return UserUsage.objects.create(**fields, url_lookups=amount)


def refusal(user: User, source: str, **fields: Any) -> dict[str, Any]:
    with pytest.raises(LimitReached) as refused:
        spend(user, source, **fields)
    return refused.value.details


def used(user: User, platform: str = "x", kind: str = URLS) -> int:
    return int(limits_of(user)["used"].get(platform, {}).get(kind, 0))


def entered(user: User) -> int:
    return sum(UsageEntry.objects.filter(user=user, given_back_at=None).values_list("amount", flat=True))


def row_versions() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT ctid::text, xmin::text, xmax::text FROM accounts_userusage ORDER BY id")
        return list(cursor.fetchall())


def test_it_starts_a_user_on_the_free_plan_once() -> None:
    user = User.objects.create_user(email="new@example.com")
    assert spend(user, "post:1") == 1
    first = usage.get_user_subscription(user)
    usage.ensure_live_subscription(user)
    assert usage.get_user_subscription(user) == first == user.subscriptions.get()
    assert (usage.get_user_plan(user).slug, first.status) == ("free", Subscription.Status.ACTIVE)


def test_it_starts_again_on_free_only_when_nothing_is_live_any_more() -> None:
    user = make_user()
    for status in Subscription.LIVE:
        user.subscriptions.update(status=status)
        assert usage.get_user_subscription(user).status == status
    user.subscriptions.update(status=Subscription.Status.EXPIRED)
    assert usage.get_user_plan(user).slug == "free"
    assert user.subscriptions.count() == 2


def test_it_says_that_the_free_plan_is_missing() -> None:
    Plan.objects.filter(slug="free").delete()
    with pytest.raises(NotConfigured, match="Free plan"):
        usage.get_user_plan(User.objects.create_user(email="new@example.com"))


def test_it_spends_up_to_the_limit_and_no_further() -> None:
    user = make_user(max_analyses_per_day=3)
    assert [spend(user, f"post:{n}") for n in range(2)] == [1, 2]
    state = increment_usage(user, URLS, platform="x", source="post:2")
    assert (state.limit, state.used, state.requested, state.remaining) == (3, 3, 1, 0)
    refusal(user, "post:3")
    assert used(user) == entered(user) == 3


def test_it_says_what_the_limit_was_and_when_it_resets(settings: Settings) -> None:
    settings.APP_URL, user = "https://app.example.com", make_user(max_analyses_per_day=5)
    refusal(user, "post:0", amount=6)
    spend(user, "post:1", amount=4)
    midnight = datetime.now(UTC).date() + timedelta(days=1)
    links = {"resets_at": f"{midnight}T00:00:00Z", "upgrade_url": "https://app.example.com/pricing"}
    with pytest.raises(LimitReached, match=f"4 of 5 posts a day on x .* {midnight}T00:00:00Z") as refused:
        spend(user, "post:2", amount=2)
    assert refused.value.details == {"limit": 5, "used": 4, "requested": 2, "kind": URLS, "platform": "x", **links}


def test_it_leaves_no_trace_and_no_lock_when_it_refuses() -> None:
    user = make_user(max_analyses_per_day=1)
    spend(user, "post:1")
    before = row_versions()
    refusal(user, "post:2")
    assert row_versions() == before
    assert not UsageEntry.objects.filter(source="post:2").exists()


@pytest.mark.parametrize("amount", [0, -1])
def test_it_takes_a_wrong_amount_or_kind_for_a_mistake_of_the_caller(amount: int) -> None:
    user = make_user()
    with pytest.raises(ValueError, match="positive"):
        spend(user, "post:1", amount=amount)
    with pytest.raises(ValueError, match="positive"):
        check_usage_limit(user, URLS, platform="x", amount=amount)
    with pytest.raises(ValueError, match="tea"):
        spend(user, "post:1", kind="tea")


@pytest.mark.parametrize(("kind", "column"), LIMITED_BY.items())
def test_each_kind_has_its_own_limit_and_suggestions_have_none(kind: str, column: str) -> None:
    user = make_user(**{column: 1})
    for every in UsageKind.values:
        spend(user, "thing:1", kind=every)
    assert refusal(user, "thing:2", kind=kind)["limit"] == 1
    for other in set(UsageKind.values) - {kind}:
        assert spend(user, "thing:2", kind=other) == 2


def test_another_platform_day_or_user_counts_apart() -> None:
    user = make_user(max_analyses_per_day=1)
    spend_yesterday(user, "post:0", 1)
    assert spend(user, "post:1") == spend(user, "post:2", on="youtube") == spend(make_user(), "post:3") == 1
    refusal(user, "post:4")


def test_the_same_source_spends_once_and_leaves_no_trace_after() -> None:
    user = make_user(max_analyses_per_day=1)
    assert spend(user, "post:1") == 1
    before = row_versions()
    assert spend(user, "post:1") == spend(user, "post:1", amount=7) == 1
    assert (row_versions(), entered(user)) == (before, 1)


@pytest.mark.parametrize("returned", [False, True])
def test_a_source_of_somebody_else_is_a_mistake_of_the_caller(returned: bool) -> None:
    owner, stranger = make_user(), make_user()
    spend(owner, "post:1")
    if returned:
        give_back(source="post:1", kind=URLS)
    with pytest.raises(ValueError, match="another user"):
        spend(stranger, "post:1")
    assert used(stranger) == 0


def test_it_undoes_the_spending_with_the_transaction_around_it() -> None:
    user = make_user(max_analyses_per_day=2)
    with pytest.raises(LimitReached), transaction.atomic():
        [spend(user, f"post:{number}") for number in range(3)]
    assert used(user) == entered(user) == 0


def test_a_change_of_plan_holds_at_once_and_never_goes_below_zero() -> None:
    user = make_user(max_analyses_per_day=10)
    spend(user, "post:1", amount=8)
    set_limit(user, 5)
    assert (refusal(user, "post:2")["limit"], used(user)) == (5, 8)
    assert limits_of(user)["remaining"]["x"][URLS] == check_usage_limit(user, URLS, platform="x").remaining == 0
    give_back(source="post:1", kind=URLS)
    assert (used(user), spend(user, "post:2", amount=5)) == (0, 5)
    set_limit(user, UNLIMITED)
    assert spend(user, "post:3", amount=1_000_000) == 1_000_005
    assert check_usage_limit(user, URLS, platform="x", amount=10**9).remaining == UNLIMITED


def test_it_gives_back_once_and_never_below_zero() -> None:
    user = make_user(max_analyses_per_day=5)
    spend(user, "post:1", amount=3)
    spend(user, "post:2")
    assert give_back(source="post:1", kind=URLS)
    for source, kind in [("post:1", URLS), ("post:2", QUESTIONS), ("never", URLS)]:
        assert not give_back(source=source, kind=kind)
    assert used(user) == entered(user) == 1
    UserUsage.objects.filter(user=user).update(url_lookups=0)
    assert give_back(source="post:2", kind=URLS)
    assert used(user) == 0


def test_what_was_given_back_can_be_spent_again_exactly_once() -> None:
    user = make_user(max_analyses_per_day=3)
    spend(user, "post:1", amount=3)
    give_back(source="post:1", kind=URLS)
    assert spend(user, "post:1", amount=2) == spend(user, "post:1", amount=2) == 2
    assert (entered(user), UsageEntry.objects.filter(user=user).count()) == (2, 1)
    assert give_back(source="post:1", kind=URLS)
    assert used(user) == 0


def test_it_gives_back_to_the_day_of_the_spending_and_spends_again_today() -> None:
    user = make_user()
    yesterday = spend_yesterday(user, "post:0", 3)
    spend(user, "post:1")
    assert give_back(source="post:0", kind=URLS)
    assert used(user) == 1
    assert spend(user, "post:0", amount=2) == 3
    yesterday.refresh_from_db()
    assert (yesterday.url_lookups, used(user)) == (0, 3)
    assert UsageEntry.objects.get(source="post:0").day == usage_today(user)["day"]


def test_a_quote_says_whether_it_would_fit_and_spends_nothing() -> None:
    user = make_user(max_analyses_per_day=5)
    spend(user, "post:1", amount=3)
    assert check_usage_limit(user, URLS, platform="x", amount=2).fits
    assert not check_usage_limit(user, URLS, platform="x", amount=3).fits
    assert check_usage_limit(user, URLS, platform="youtube", amount=5).remaining == 5
    assert UserUsage.objects.filter(user=user).count() == 1


def test_it_shows_today_by_platform() -> None:
    user = make_user()
    spend_yesterday(user, "post:0", 3)
    assert usage_today(user)["platforms"] == []
    spend(user, "post:1", on="youtube")
    spend(user, "question:1", on="instagram", kind=QUESTIONS)
    today, nothing = usage_today(user), dict.fromkeys(UsageKind.values, 0)
    asked, analysed = {**nothing, QUESTIONS: 1}, {**nothing, URLS: 1}
    assert today["resets_at"] == f"{today['day'] + timedelta(days=1)}T00:00:00Z"
    assert today["platforms"] == [{"platform": "instagram", **asked}, {"platform": "youtube", **analysed}]


def test_it_shows_limits_with_what_is_used_and_left() -> None:
    user = make_user(max_handles=1, max_analyses_per_day=5)
    spend(user, "post:1", amount=2)
    shown = limits_of(user)
    others = {"post_suggestions": -1, QUESTIONS: -1}
    assert shown["limits"] == {"handle_analyses": 1, URLS: 5, **others}
    assert shown["used"] == {"x": {**dict.fromkeys(UsageKind.values, 0), URLS: 2}}
    assert shown["remaining"] == {"x": {"handle_analyses": 1, URLS: 3, **others}}


class Ledger(RuleBasedStateMachine):
    """Spends, gives back and changes plans in any order, beside a model of a few lines."""

    sources = st.sampled_from(["a", "b", "c", "d"])
    platforms = st.sampled_from(["x", "youtube"])

    @initialize(limit=st.sampled_from([0, 3, UNLIMITED]))
    def begin(self, limit: int) -> None:
        self.user, self.limit = make_user(max_analyses_per_day=limit), limit
        self.kept: dict[str, tuple[str, int]] = {}

    @rule(source=sources, platform=platforms, amount=st.integers(1, 4))
    def spend(self, source: str, platform: str, amount: int) -> None:
        expected = self.used(platform)
        if source not in self.kept:
            if self.limit != UNLIMITED and expected + amount > self.limit:
                assert refusal(self.user, self.name(source), on=platform, amount=amount)["used"] == expected
                return
            self.kept[source] = (platform, amount)
        assert spend(self.user, self.name(source), on=platform, amount=amount) == self.used(platform)

    @rule(source=sources)
    def give_back(self, source: str) -> None:
        assert give_back(source=self.name(source), kind=URLS) == (self.kept.pop(source, None) is not None)

    @rule(limit=st.sampled_from([0, 2, 5, UNLIMITED]))
    def change_plan(self, limit: int) -> None:
        set_limit(self.user, limit)
        self.limit = limit

    @invariant()
    def counter_and_entries_agree_with_the_model(self) -> None:
        for row in UserUsage.objects.filter(user=self.user):
            assert row.url_lookups == self.used(row.platform)
        assert entered(self.user) == sum(amount for _, amount in self.kept.values())

    def used(self, platform: str) -> int:
        return sum(amount for where, amount in self.kept.values() if where == platform)

    def name(self, source: str) -> str:
        return f"{self.user.pk}:{source}"


def test_any_order_of_events_agrees_with_a_simple_model() -> None:
    effort = hypothesis_settings(max_examples=25, stateful_step_count=25, deadline=None, database=None)
    run_state_machine_as_test(Ledger, settings=effort)
