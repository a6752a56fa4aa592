"""The sandbox's Data API keeps to the protocol it stands for."""

from collections.abc import Iterator

import httpx
import pytest

from sandbox.youtube_api import YouTubeApiSandbox

VIDEO = "aB3_dE-7hJk"


@pytest.fixture
def youtube() -> Iterator[YouTubeApiSandbox]:
    with YouTubeApiSandbox(invents=False) as sandbox:
        yield sandbox


@pytest.fixture
def client(youtube: YouTubeApiSandbox) -> Iterator[httpx.Client]:
    base, params = f"{youtube.url}/youtube/v3", {"key": youtube.api_key}
    with httpx.Client(base_url=base, params=params, timeout=5, trust_env=False) as client:
        yield client


def reason_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


def test_it_gives_the_parts_that_are_asked_for_and_counts_as_strings(youtube, client):
    youtube.add_video(VIDEO)
    [video] = client.get("/videos", params={"part": "statistics", "id": f"{VIDEO},gone0000000"}).json()["items"]
    assert video["statistics"]["viewCount"] == "184220"
    assert "snippet" not in video


def test_it_pages_through_uploads_and_threads(youtube, client):
    channel_id = youtube.add_channel()
    for number in range(3):
        youtube.add_video(f"video{number:06}", channel_id=channel_id, snippet={"publishedAt": f"2026-01-0{number + 1}"})
        youtube.add_thread("video000000", f"Comment {number}")
    uploads = {"part": "contentDetails", "playlistId": f"UU{channel_id[2:]}", "maxResults": 2}
    first = client.get("/playlistItems", params=uploads).json()
    assert [each["contentDetails"]["videoId"] for each in first["items"]] == ["video000002", "video000001"]
    threads = {"part": "snippet", "videoId": "video000000", "maxResults": 2, "pageToken": "P2"}
    last = client.get("/commentThreads", params=threads).json()
    assert len(last["items"]) == 1
    assert "nextPageToken" not in last


def test_a_channel_that_is_not_there_has_no_list_at_all(client):
    answer = client.get("/channels", params={"part": "id", "forHandle": "@nobody"})
    assert "items" not in answer.json()


def test_it_refuses_with_a_reason(youtube, client):
    youtube.without_comments.add(youtube.add_video(VIDEO))
    threads = {"part": "snippet", "videoId": VIDEO}
    assert reason_of(client.get("/commentThreads", params=threads)) == (403, "commentsDisabled")
    assert reason_of(client.get("/commentThreads", params={"videoId": "gone0000000"})) == (404, "videoNotFound")
    assert reason_of(client.get("/playlistItems", params={"playlistId": "UUnobody"})) == (404, "playlistNotFound")
    assert reason_of(client.get("/videos", params={"key": "other"})) == (400, "badRequest")
    youtube.units_left = 0
    assert reason_of(client.get("/videos", params={"id": VIDEO})) == (403, "quotaExceeded")


def test_it_invents_only_where_it_is_told_to(youtube, client):
    def answers() -> tuple[int, int]:
        videos = client.get("/videos", params={"part": "snippet", "id": VIDEO}).json()["items"]
        uploads = client.get("/playlistItems", params={"part": "contentDetails", "playlistId": "UU" + "x" * 22}).json()
        return len(videos), len(uploads.get("items", []))

    assert answers() == (0, 0)
    youtube.invents = True
    assert answers() == (1, 12)
