"""Which platforms are read, and what an address is, over HTTP."""

import pytest

from social.models import Platform

pytestmark = pytest.mark.django_db
PARSE, PLATFORMS = "/api/social/parse/", "/api/social/platforms/"


def parsed(api, *urls):
    return api.post(PARSE, {"urls": urls}, format="json")


def test_each_address_is_told_in_the_order_asked(api):
    answer = parsed(api, "https://youtu.be/jNQXAC9IVRw?si=x", "https://x.com/jack", " https://x.com/jack/status/20 ")
    first, second, third = answer.json()["results"]
    assert first == {
        "url": "https://youtu.be/jNQXAC9IVRw?si=x",
        "platform": "youtube",
        "post_id": "jNQXAC9IVRw",
        "canonical_url": "https://www.youtube.com/watch?v=jNQXAC9IVRw",
    }
    assert (second["code"], "profile" in second["error"]) == ("profile", True)
    assert (third["url"], third["post_id"]) == (" https://x.com/jack/status/20 ", "20")


@pytest.mark.parametrize(
    "body", [{}, {"urls": []}, {"urls": ["x"] * 101}, {"urls": [None]}, {"urls": "x"}, {"urls": [7]}]
)
def test_a_body_that_is_no_list_of_addresses_is_refused(api, body):
    answer = api.post(PARSE, body, format="json")
    assert (answer.status_code, [*answer.json()["details"]]) == (400, ["urls"])


def test_a_closed_platform_is_told_apart(api):
    Platform.objects.filter(pk="x").update(active=False)
    assert parsed(api, "https://x.com/jack/status/20").json()["results"][0]["code"] == "platform_inactive"
    assert [row["slug"] for row in api.get(PLATFORMS).json()["results"]] == ["instagram", "youtube"]


def test_anybody_may_see_which_addresses_are_read(stranger):
    rows = stranger.get(PLATFORMS).json()["results"]
    assert [row["slug"] for row in rows] == ["instagram", "x", "youtube"]
    assert all(shape.startswith("https://") for row in rows for shape in row["shapes"])


def test_only_who_is_signed_in_has_addresses_read(stranger):
    assert parsed(stranger, "https://x.com/jack/status/20").status_code == 401
