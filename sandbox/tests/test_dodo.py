"""The sandbox's Dodo keeps to the protocol it stands for: what it answers is what the vendor's own SDK can read."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from dodopayments.types import GetDispute, Payment, PaymentListResponse, Refund, Subscription

from sandbox.dodo import DodoSandbox
from sandbox.tests.dodo_shop import bought, checkout, kinds


@pytest.fixture
def dodo() -> Iterator[DodoSandbox]:
    with DodoSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def api(dodo: DodoSandbox) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {dodo.key}"}
    with httpx.Client(base_url=dodo.url, headers=headers, timeout=5, trust_env=False) as client:
        yield client


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5, trust_env=False) as client:
        yield client


# The API


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer dodo_test_other"}, {"authorization": "Basic x"}])
def test_it_refuses_whoever_has_no_key(dodo, headers):
    refused = httpx.get(f"{dodo.url}/payments", headers=headers, trust_env=False)
    assert refused.status_code == 401
    assert refused.json()["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize(
    "path", ["/subscriptions/sub_1", "/payments/pay_1", "/refunds/ref_1", "/disputes/dp_1", "/invoices/payments/pay_1"]
)
def test_it_does_not_find_what_is_not_there(api, path):
    answer = api.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"product_cart": []},
        {"product_cart": [{}], "customer": {"email": "a@example.com"}},
        {"product_cart": [{"product_id": "made up"}], "customer": {"email": "a@example.com"}},
        {"product_cart": 7},
    ],
)
def test_it_complains_of_a_checkout_that_is_none(api, form):
    answer = api.post("/checkouts", json=form)
    assert answer.status_code in {404, 422}
    assert set(answer.json()) == {"code", "message"}


def test_it_complains_of_an_address_that_is_none(dodo, api):
    form = {"product_cart": [{"product_id": dodo.add_product(100)}], "customer": {"email": "nobody"}}
    assert api.post("/checkouts", json=form).status_code == 422


def test_what_it_answers_the_sdk_can_read_strictly(dodo, api):
    subscription_id = bought(dodo, api)
    payment_id = dodo.books.charges[0].payment_id
    dispute_id = dodo.books.dispute(payment_id)["dispute_id"]
    refund_id = api.post("/refunds", json={"payment_id": payment_id, "reason": "Kindness"}).json()["refund_id"]
    Subscription.model_validate(api.get(f"/subscriptions/{subscription_id}").json())
    Payment.model_validate(api.get(f"/payments/{payment_id}").json())
    PaymentListResponse.model_validate(api.get("/payments").json()["items"][0])
    Refund.model_validate(api.get(f"/refunds/{refund_id}").json())
    GetDispute.model_validate(api.get(f"/disputes/{dispute_id}").json())


def test_its_keys_are_in_order_and_nothing_is_left_out(dodo, api):
    said = api.get(f"/subscriptions/{bought(dodo, api)}").json()
    assert list(said) == sorted(said)
    assert said["scheduled_change"] is None


def test_its_pages_count_from_nought_and_say_no_total(dodo, api):
    subscription_id = bought(dodo, api)
    for _ in range(4):
        dodo.force_renewal(subscription_id)
    asked = {"subscription_id": subscription_id, "page_size": 2}
    pages = [api.get("/payments", params=asked | {"page_number": number}).json() for number in range(4)]
    assert [len(page["items"]) for page in pages] == [2, 2, 1, 0]
    assert len({each["payment_id"] for page in pages for each in page["items"]}) == 5
    assert all(set(page) == {"items"} for page in pages)
    assert len(api.get("/payments").json()["items"]) == 5


def test_its_lists_keep_to_what_is_asked_for(dodo, api):
    first, second = bought(dodo, api), bought(dodo, api, customer={"email": "bo@example.com"})
    customer = dodo.books.subscriptions[second]["customer"]["customer_id"]
    api.patch(f"/subscriptions/{first}", json={"status": "cancelled"})
    by_status = api.get("/subscriptions", params={"status": "active"}).json()["items"]
    by_customer = api.get("/subscriptions", params={"customer_id": customer}).json()["items"]
    assert [each["subscription_id"] for each in by_status] == [second]
    assert [each["subscription_id"] for each in by_customer] == [second]
    assert len(api.get("/payments", params={"customer_id": customer}).json()["items"]) == 1


# The page


def test_a_customer_pays_on_the_page_and_is_led_back(dodo, api, browser):
    session = checkout(dodo, api)
    page = browser.get(session["checkout_url"])
    assert page.headers["content-type"].startswith("text/html")
    assert all(f'value="{action}"' in page.text for action in ("pay", "decline", "cancel"))
    assert "29.00 USD" in page.text
    led = browser.post(session["checkout_url"], data={"action": "pay"})
    subscription_id = next(iter(dodo.books.subscriptions))
    assert led.status_code == 303
    assert led.headers["location"] == (
        f"https://shop.test/back?from=dodo&subscription_id={subscription_id}&status=active"
    )
    assert dodo.charged(subscription_id) == 2900
    known = api.get(f"/checkouts/{session['session_id']}").json()
    assert (known["payment_status"], known["customer_email"]) == ("succeeded", "ana@example.com")


def test_a_page_works_once(dodo, api, browser):
    session = checkout(dodo, api)
    statuses = [browser.post(session["checkout_url"], data={"action": "pay"}).status_code for _ in range(3)]
    assert statuses == [303, 410, 410]
    assert browser.get(session["checkout_url"]).status_code == 410
    assert len(dodo.books.charges) == 1


def test_an_impatient_customer_is_charged_once(dodo, api, browser):
    session = checkout(dodo, api)
    with ThreadPoolExecutor(8) as pool:
        pressed = [pool.submit(browser.post, session["checkout_url"], data={"action": "pay"}) for _ in range(8)]
    assert sorted(each.result().status_code for each in pressed) == [303] + 7 * [410]
    assert len(dodo.books.charges) == 1


def test_a_page_works_for_a_day(dodo, api, browser):
    session = checkout(dodo, api)
    dodo.books.ahead = timedelta(hours=25)
    assert browser.post(session["checkout_url"], data={"action": "pay"}).status_code == 410
    assert dodo.books.charges == []


def test_whoever_cancels_may_come_back(dodo, api, browser):
    session = checkout(dodo, api)
    led = browser.post(session["checkout_url"], data={"action": "cancel"})
    assert led.headers["location"] == "https://shop.test/cancelled?status=cancelled"
    assert browser.get(session["checkout_url"]).status_code == 200
    assert dodo.books.subscriptions == {}


def test_a_declined_card_ends_the_purchase(dodo, api, browser):
    session = checkout(dodo, api)
    led = browser.post(session["checkout_url"], data={"action": "decline"})
    [subscription], [payment] = dodo.books.subscriptions.values(), dodo.books.payments.values()
    assert led.headers["location"].endswith("&status=failed")
    assert (subscription["status"], payment["error_code"]) == ("failed", "CARD_DECLINED")
    assert kinds(dodo) == ["payment.failed", "subscription.failed", "subscription.updated"]
    assert dodo.books.charges == []


def test_what_is_shown_is_escaped(dodo, api, browser):
    product = dodo.add_product(100, currency="<b>")
    assert "<b>" not in browser.get(checkout(dodo, api, product_id=product)["checkout_url"]).text


def test_the_portal_ends_a_subscription_at_once(dodo, api, browser):
    subscription_id = bought(dodo, api)
    customer = dodo.books.subscriptions[subscription_id]["customer"]["customer_id"]
    link = api.post(f"/customers/{customer}/customer-portal/session?return_url=https://shop.test/").json()["link"]
    assert subscription_id in browser.get(link).text
    browser.post(link, data={"cancel": subscription_id})
    subscription = dodo.books.subscriptions[subscription_id]
    assert (subscription["status"], subscription["cancelled_by"]["actor_type"]) == ("cancelled", "customer")
    assert kinds(dodo) == ["subscription.cancelled", "subscription.updated"]
