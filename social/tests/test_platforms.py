"""Addresses: which are posts, and what is said of the others."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from social.errors import AddressInvalid
from social.platforms import PLATFORMS, address, parse_post_url

CASES = json.loads((Path(__file__).parent / "data" / "url_cases.json").read_text())
SLUGS = {"twitter": "x"}
# What is decided about addresses that could be read either way: docs/decisions/0019.
READ = {"surrounding-whitespace", "scheme-less", "alternate-official-host", "status-subpage", "explicit-default-port"}
OF_NOTHING = "https://www.instagram.com/p/DTGAZJQkg5k/"


def by_url(cases):
    return pytest.mark.parametrize("case", cases, ids=[case["url"][:80] for case in cases])


@by_url(CASES["accept"])
def test_a_posts_address_names_its_platform_and_id(case):
    post = parse_post_url(case["url"])
    assert (post.platform, post.post_id) == (SLUGS.get(case["platform"], case["platform"]), case["expected_id"])
    assert parse_post_url(post.canonical_url) == post


@by_url(CASES["reject"] + CASES["needs_network"])
def test_what_is_no_posts_address_is_refused_in_one_sentence(case):
    with pytest.raises(AddressInvalid) as refused:
        parse_post_url(case["url"])
    assert refused.value.message.endswith((".", "..."))
    assert refused.value.code != "invalid_address"


@by_url(CASES["policy_dependent"])
def test_what_could_be_read_either_way_is_read_by_one_rule(case):
    if case["policy"] in READ:
        assert parse_post_url(case["url"]).post_id == case["id_if_accepted"]
    else:
        with pytest.raises(AddressInvalid):
            parse_post_url(case["url"])


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://www.instagram.com/nasa/", "profile"),
        ("https://www.instagram.com/stories/nasa/3570766765028588805/", "story"),
        ("https://www.instagram.com/share/reel/BACiUUUYQV", "share_link"),
        ("https://www.instagram.com/reels/audio/271328201351336/", "audio"),
        ("https://www.instagram.com/p/", "listing"),
        ("https://l.instagram.com/?u=https%3A%2F%2Fx.com%2Fjack%2Fstatus%2F20", "short_link"),
        ("https://x.com/jack", "profile"),
        ("https://x.com/i/spaces/1mnxeRZZQEaJX", "not_a_post"),
        ("https://x.com/jack/status/9223372036854775808", "malformed_id"),
        ("https://x.com/jack/status/020", "malformed_id"),
        ("https://t.co/AbCdEf1234", "short_link"),
        ("https://www.youtube.com/playlist?list=PLMYEtVRpaqY00V9W81Cwmzp6N6vZqfUKD4", "playlist"),
        ("https://www.youtube.com/@NotJustBikes", "profile"),
        ("https://www.youtube.com/embed/videoseries?list=PL1", "malformed_id"),
        ("https://www.youtube.com/watch?v=jNQXAC9IVRx", "malformed_id"),
        ("https://evilyoutu.be/YE7VzlLtp-4", "look_alike"),
        ("https://vimeo.com/76979871", "other_site"),
        ("https://x.com:8443/jack/status/20", "port"),
        ("http://x.com:443/jack/status/20", "port"),
        ("https://y\u043eutube.com/watch?v=YE7VzlLtp-4", "odd_characters"),
        ("https://x.com\\@evil.com/jack/status/20", "odd_characters"),
        ("https://x.com@evil.com/jack/status/20", "not_an_address"),
        ("just some words", "odd_characters"),
        ("", "not_an_address"),
        (OF_NOTHING + "?" + "a" * 2000, "too_long"),
    ],
)
def test_a_refusal_says_which_kind_of_page_it_is(url, code):
    with pytest.raises(AddressInvalid) as refused:
        parse_post_url(url)
    assert refused.value.code == code


POSTS = [
    ("www.youtube.com", "watch?v=YE7VzlLtp-4"), ("youtu.be", "YE7VzlLtp-4"), ("x.com", "jack/status/20"),
    ("twitter.com", "jack/status/20"), ("www.instagram.com", "p/DTGAZJQkg5k/"),
]  # fmt: skip
TRICKS = [
    "https://{host}@evil.com/{path}", "https://me:pw@{host}/{path}", "https://evil.com\\@{host}/{path}",
    "https://{host}:444/{path}", "https://{host}:0443/{path}", "https://{host}:@evil.com/{path}",
    "https://{host}./{path}", "https://.{host}/{path}", "https://{host}.evil.com/{path}", "https://evil{host}/{path}",
    "https://sub.{host}/{path}", "https://xn--{host}/{path}", "https://{host};.evil.com/{path}",
    "https://{host}%2eevil.com/{path}", "https://{host}%00.evil.com/{path}", "https://{host}%09/{path}",
    "https:/{host}/{path}", "https:{host}/{path}", "https:///{host}/{path}", "//{host}/{path}", "ftp://{host}/{path}",
    "view-source:https://{host}/{path}", "https://https://{host}/{path}", "https://{host}//{path}",
    "https://{host}/./{path}", "https://{host}/../{path}", "https://{host}/%2e%2e/{path}", "https://[{host}]/{path}",
    "https://{host}\t/{path}", "https://{host}/\r\n{path}", "\x00https://{host}/{path}", "https://{host}/{path}\x7f",
    "https://{host}\u200b/{path}", "https://{host}\uff0f{path}", "\ufeffhttps://{host}/{path}",
    "https%3A%2F%2F{host}%2F{path}", "<https://{host}/{path}>", "https://evil.com/{host}/{path}",
    "https://evil.com/?u=https://{host}/{path}", "https://evil.com#https://{host}/{path}", "http://127.0.0.1/{path}",
]  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize(("host", "path"), POSTS)
def test_no_trick_with_a_host_or_a_path_passes(trick, host, path):
    with pytest.raises(AddressInvalid):
        parse_post_url(trick.format(host=host, path=path))


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text):
    with contextlib.suppress(AddressInvalid):
        parse_post_url(text)


@given(st.sampled_from(CASES["accept"]), st.integers(0, 120), st.text(max_size=3))
def test_a_changed_address_names_a_post_of_a_known_host_or_none(case, place, more):
    changed = case["url"][:place] + more + case["url"][place:]
    try:
        post = parse_post_url(changed)
    except AddressInvalid:
        return
    assert post.canonical_url == address(post.platform, post.post_id).url
    assert parse_post_url(post.canonical_url) == post


def test_no_host_belongs_to_two_platforms():
    hosts = [host for platform in PLATFORMS.values() for host in platform.HOSTS]
    assert len(hosts) == len(set(hosts))
