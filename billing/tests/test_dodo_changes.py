"""Plans are changed and money is given back through Dodo: once, however often it is asked for."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pytest_django import Settings

from billing.providers.contract import Standing
from billing.providers.dodo import Dodo
from billing.providers.refusals import ConfirmationNeeded, PaymentFailed
from billing.tests.dodo_shop import led_to, offered, paid, sold
from billing.tests.stripe_buyer import press
from core.errors import VendorProblem, VendorRefused, VendorTimeout, VendorUnavailable
from sandbox.dodo import DodoSandbox

LATER_DECLINED, ASKS_BANK = "4000000000000341", "4000002760003184"
# The request arrives and is carried out, and the answer does not come.
UNANSWERED = {
    "late": ({"delay": 1.5}, VendorTimeout),
    "cut off": ({"truncate": 0}, VendorUnavailable),
}


@pytest.fixture
def dodo(settings: Settings) -> Iterator[DodoSandbox]:
    with led_to(settings) as sandbox:
        yield sandbox


def test_a_dearer_plan_is_charged_now_as_the_preview_said(dodo):
    subscription_id, dearer = sold(dodo), dodo.add_product(9900)
    preview = Dodo().preview_change(subscription_id, product_id=dearer)
    assert (preview.amount, preview.currency) == (7000, "USD")
    assert preview.effective_at is not None
    assert dodo.charged(subscription_id) == 2900
    Dodo().change_plan(subscription_id, product_id=dearer, at_period_end=False, once="up-1")
    assert Dodo().subscription(subscription_id).product_id == dearer
    assert dodo.charged(subscription_id) == 9900
    newest = Dodo().payment(paid(dodo))
    assert (newest.reason, newest.ref, newest.amount) == ("plan_change", "ours-1", 7000)


def test_a_cheaper_plan_is_shown_as_a_credit(dodo):
    assert Dodo().preview_change(sold(dodo), product_id=dodo.add_product(900)).amount == -2000


def test_a_cheaper_plan_waits_for_the_end_and_can_be_undone(dodo):
    subscription_id, cheaper = sold(dodo), dodo.add_product(900)
    for _ in range(2):
        Dodo().change_plan(subscription_id, product_id=cheaper, at_period_end=True, once="down-1")
        assert Dodo().subscription(subscription_id).scheduled_product_id == cheaper
        Dodo().undo_scheduled_change(subscription_id)
        assert Dodo().subscription(subscription_id).scheduled_product_id == ""
    Dodo().undo_scheduled_change(subscription_id)
    assert dodo.charged(subscription_id) == 2900


def test_the_latest_wish_counts(dodo):
    subscription_id, cheaper, dearer = sold(dodo), dodo.add_product(900), dodo.add_product(9900)
    Dodo().change_plan(subscription_id, product_id=cheaper, at_period_end=True, once="down-1")
    Dodo().change_plan(subscription_id, product_id=dearer, at_period_end=False, once="up-1")
    now = Dodo().subscription(subscription_id)
    assert (now.product_id, now.scheduled_product_id) == (dearer, "")


@pytest.mark.parametrize("at_period_end", [True, False])
def test_going_back_to_the_present_plan_undoes_what_was_scheduled(dodo, at_period_end):
    present = dodo.add_product(2900)
    subscription_id = sold(dodo, product_id=present)
    Dodo().change_plan(subscription_id, product_id=dodo.add_product(900), at_period_end=True, once="down-1")
    for _ in range(2):
        Dodo().change_plan(subscription_id, product_id=present, at_period_end=at_period_end, once="back-1")
        now = Dodo().subscription(subscription_id)
        assert (now.product_id, now.scheduled_product_id) == (present, "")
    assert (dodo.charged(subscription_id), dodo.count("subscriptions.change_plan")) == (2900, 1)


def test_a_declined_card_leaves_the_plan(dodo):
    subscription_id, dearer = sold(dodo), dodo.add_product(9900)
    dodo.set_card(subscription_id, LATER_DECLINED)
    with pytest.raises(PaymentFailed) as failed:
        Dodo().change_plan(subscription_id, product_id=dearer, at_period_end=False, once="up-1")
    assert failed.value.details == {"reason": "card_declined"}
    now = Dodo().subscription(subscription_id)
    assert (now.standing, now.product_id == dearer) == (Standing.ACTIVE, False)


def test_a_change_is_known_by_what_came_of_it_where_its_payment_is_not_told(dodo):
    subscription_id, dearer = sold(dodo), dodo.add_product(9900)
    dodo.tells_payment = False
    dodo.set_card(subscription_id, LATER_DECLINED)
    with pytest.raises(PaymentFailed):
        Dodo().change_plan(subscription_id, product_id=dearer, at_period_end=False, once="up-1")
    dodo.set_card(subscription_id, "4242424242424242")
    Dodo().change_plan(subscription_id, product_id=dearer, at_period_end=False, once="up-2")
    assert (Dodo().subscription(subscription_id).product_id, dodo.charged(subscription_id)) == (dearer, 9900)


def test_a_bank_that_asks_is_answered_on_the_last_page_that_was_given(dodo):
    subscription_id, dearer = sold(dodo), dodo.add_product(9900)
    dodo.set_card(subscription_id, ASKS_BANK)
    pages = []
    for once in ("up-1", "up-2"):
        with pytest.raises(ConfirmationNeeded) as asked:
            Dodo().change_plan(
                subscription_id, product_id=dearer, at_period_end=False, once=once, return_url="https://app.test/"
            )
        pages.append(asked.value.details["confirm_url"])
    assert [press(page, "pay").status_code for page in pages] == [409, 303]
    assert (Dodo().subscription(subscription_id).product_id, dodo.charged(subscription_id)) == (dearer, 9900)


def test_an_account_without_such_pages_says_that_the_bank_asks(dodo):
    subscription_id = sold(dodo)
    dodo.set_card(subscription_id, ASKS_BANK)
    refused = {"status": 422, "body": {"code": "INVALID_REQUEST_BODY", "message": "No."}}
    payment = {"payment_id": "pay_1", "status": "requires_customer_action"}
    dodo.books.payments["pay_1"] = payment
    dodo.fail("subscriptions.change_plan", status=200, body={"payment_id": "pay_1"})
    dodo.fail("subscriptions.change_plan", **refused)
    with pytest.raises(ConfirmationNeeded) as asked:
        Dodo().change_plan(subscription_id, product_id=dodo.add_product(9900), at_period_end=False, once="up-1")
    assert asked.value.details == {"confirm_url": ""}


# Money back


def test_all_of_a_payment_is_given_back(dodo):
    sold(dodo)
    refund = Dodo().refund(paid(dodo), amount=None, reason="Kindness", once="back-1")
    assert (refund.status, refund.amount, refund.currency, refund.partial) == ("succeeded", 2900, "USD", False)
    assert (refund.payment_id, refund.reason) == (paid(dodo), "Kindness")
    assert Dodo().refund_state(refund.id) == refund


def test_a_part_of_a_payment_is_given_back(dodo):
    sold(dodo)
    refund = Dodo().refund(paid(dodo), amount=1000, reason="", once="back-1")
    assert (refund.amount, refund.partial) == (1000, True)
    with pytest.raises(VendorRefused):
        Dodo().refund(paid(dodo), amount=2000, reason="", once="back-2")


def test_a_whole_refund_that_does_not_say_its_amount_is_the_payments(dodo):
    sold(dodo)
    refund = Dodo().refund(paid(dodo), amount=None, reason="", once="back-1")
    dodo.books.refunds[refund.id] |= {"amount": None, "currency": None, "status": "review"}
    assert (Dodo().refund_state(refund.id).amount, Dodo().refund_state(refund.id).status) == (2900, "pending")


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("opened", "open"), ("challenged", "open"), ("won", "won"), ("lost", "lost"), ("accepted", "lost"),
        ("expired", "lost"), ("cancelled", "closed"),
    ],
)  # fmt: skip
def test_a_dispute_can_be_read(dodo, how, status):
    sold(dodo)
    dispute_id = dodo.books.dispute(paid(dodo))["dispute_id"]
    dodo.books.settle_dispute(dispute_id, how)
    dispute = Dodo().dispute(dispute_id)
    assert (dispute.status, dispute.amount, dispute.payment_id) == (status, 2900, paid(dodo))


# Once


@pytest.fixture(params=UNANSWERED)
def unanswered(request, dodo, settings):
    """Within, an operation is carried out and nobody hears of it."""
    how, problem = UNANSWERED[request.param]

    @contextmanager
    def on(operation: str) -> Iterator[None]:
        dodo.fail(operation, **how)
        settings.DODO_SECONDS = 1.0
        with pytest.raises(problem):
            yield
        settings.DODO_SECONDS = 30.0

    return on


def test_a_change_whose_answer_was_lost_is_charged_once(dodo, unanswered):
    subscription_id, dearer = sold(dodo), dodo.add_product(9900)
    with unanswered("subscriptions.change_plan"):
        Dodo().change_plan(subscription_id, product_id=dearer, at_period_end=False, once="up-1")
    wait_until(lambda: dodo.charged(subscription_id) == 9900)
    Dodo().change_plan(subscription_id, product_id=dearer, at_period_end=False, once="up-1")
    assert dodo.charged(subscription_id) == 9900
    assert dodo.count("subscriptions.change_plan") == 1


def test_a_refund_whose_answer_was_lost_is_paid_once(dodo, unanswered):
    sold(dodo)
    with unanswered("refunds.create"):
        Dodo().refund(paid(dodo), amount=1000, reason="", once="back-1")
    wait_until(lambda: len(dodo.books.refunds) == 1)
    again = Dodo().refund(paid(dodo), amount=1000, reason="", once="back-1")
    assert (again.amount, len(dodo.books.refunds), dodo.count("refunds.create")) == (1000, 1, 1)
    assert Dodo().refund(paid(dodo), amount=1000, reason="", once="back-2").id != again.id


@pytest.mark.parametrize("now", [True, False])
def test_an_end_whose_answer_was_lost_is_asked_for_again(dodo, unanswered, now):
    subscription_id = sold(dodo)
    with unanswered("subscriptions.update"):
        Dodo().cancel(subscription_id, now=now)
    wait_until(lambda: dodo.post.deliveries != [])
    Dodo().cancel(subscription_id, now=now)
    state = Dodo().subscription(subscription_id)
    assert (state.standing is Standing.ENDED, state.cancels_at_end) == (now, not now)


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"status": 429}, {"status": 409}, {"reset": True}])
def test_what_moves_money_is_sent_once_whatever_is_answered(dodo, fault):
    subscription_id, dearer = sold(dodo), dodo.add_product(9900)
    for operation in ("checkouts.create", "subscriptions.change_plan", "refunds.create", "subscriptions.update"):
        dodo.fail(operation, times=-1, **fault)
    asked = {
        "checkouts.create": lambda: offered(dodo),
        "subscriptions.change_plan": lambda: Dodo().change_plan(
            subscription_id, product_id=dearer, at_period_end=False, once="up-1"
        ),
        "refunds.create": lambda: Dodo().refund(paid(dodo), amount=None, reason="", once="back-1"),
        "subscriptions.update": lambda: Dodo().cancel(subscription_id, now=True),
    }
    for operation, ask in asked.items():
        with pytest.raises(VendorProblem):
            ask()
        assert dodo.count(operation) == 1
    assert dodo.charged(subscription_id) == 2900


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)
