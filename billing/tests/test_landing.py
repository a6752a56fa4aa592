"""Where a browser lands after a checkout: it says what to expect, whom it does not know, and where to go on."""

import pytest

SUCCESS, CANCEL = "/api/billing/subscription/success/", "/api/billing/subscription/cancel/"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (SUCCESS, "Thank you"),
        (f"{SUCCESS}?subscription_id=sub_1&status=active", "Thank you"),
        (f"{SUCCESS}?status=failed", "The payment did not go through"),
        (f"{CANCEL}?status=cancelled", "Nothing was paid"),
    ],
)
def test_it_says_what_to_expect(client, path, says):
    page = client.get(path, headers={"accept": "text/html"}).content.decode()
    assert f"<h1>{says}</h1>" in page


def test_it_leads_to_the_app(client, settings):
    settings.APP_URL = "https://app.example.com"
    page = client.get(SUCCESS, headers={"accept": "text/html"}).content.decode()
    assert '<a href="https://app.example.com/">Back to Whyral</a>' in page
    assert "/api/accounts/" not in page


def test_where_there_is_no_app_it_says_who_knows(client, settings):
    settings.DEBUG = True
    settings.APP_URL = settings.PUBLIC_URL
    page = client.get(SUCCESS, headers={"accept": "text/html"}).content.decode()
    assert f'<a href="{settings.PUBLIC_URL}/">' in page
    assert "GET /api/accounts/subscription/" in page


def test_nothing_of_the_address_is_repeated(client):
    page = client.get(f"{SUCCESS}?status=failed&x=<script>&subscription_id=sub_secret").content.decode()
    assert "script>" not in page
    assert "sub_secret" not in page


def test_a_program_is_told_in_json(client):
    told = client.get(f"{SUCCESS}?status=failed", headers={"accept": "application/json"}).json()
    assert told["status"] == "failed"
