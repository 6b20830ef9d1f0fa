"""A link lasts as long as what it leads to may play."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from uuid import uuid4

import pytest

from domain.values import ResourceType, TaskStatus
from storage.keys import names_for
from tests.builders import a_task, a_video
from web.links import EXPIRY_BYTES, LONGEST, Links
from web.playback_urls import PlaybackUrls

NOW = 1_750_000_000
LASTS = 3_600


@pytest.fixture
def urls() -> PlaybackUrls:
    secret = "a secret of 32 bytes, for tests only"
    return PlaybackUrls(Links(secret, public_url="http://m.test", seconds=LASTS, clock=lambda: NOW), names_for)


def lasts(url: str | None) -> int:
    """Seconds from now."""
    assert url is not None
    token = url.split("/")[4]
    return int.from_bytes(urlsafe_b64decode(token + "==")[:EXPIRY_BYTES]) - NOW


@pytest.mark.parametrize(
    ("kind", "duration", "seconds"),
    [
        (ResourceType.HLS, 7_200.9, LASTS + 7_200),
        (ResourceType.MP4, 90.0, LASTS + 90),
        (ResourceType.MP4, 1e6, LONGEST),
        (ResourceType.MP4, None, LONGEST),
        (ResourceType.IMAGE, None, LASTS),
    ],
)
def test_a_result_plays_to_its_end(
    urls: PlaybackUrls, kind: ResourceType, duration: float | None, seconds: int
) -> None:
    task = a_task(resource_type=kind, status=TaskStatus.COMPLETED, segments_downloaded=1)
    video = a_video(task, duration=duration, cover_path=f"video_{task.video_id}/image/cover.jpg")
    assert lasts(urls.of(task, video)) == seconds
    assert lasts(urls.cover(video, task.user_id)) == LASTS


def test_what_is_still_being_stored_plays_as_long_as_a_link_may_last(urls: PlaybackUrls) -> None:
    task = a_task(status=TaskStatus.PROCESSING, segments_downloaded=1)
    assert lasts(urls.of(task, None)) == LONGEST


@pytest.mark.parametrize("inside", ["image/cover.jpg", "hls/ts/segment.ts"])
def test_no_link_leads_to_the_folder_of_another_task(urls: PlaybackUrls, inside: str) -> None:
    """Whatever the row says: an adopted database may hold anything."""
    task = a_task(resource_type=ResourceType.IMAGE, status=TaskStatus.COMPLETED)
    video = a_video(task, cover_path=f"video_{uuid4()}/{inside}")
    assert urls.cover(video, task.user_id) is None
    assert urls.of(task, video) is None
