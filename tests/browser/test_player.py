"""A finished stream plays in hls.js, on a page of the service's own origin."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route

from tests import media
from tests.browser.conftest import Watched
from tests.e2e.service import Service
from tests.origin import Origin

HLS_JS = "node_modules/hls.js/dist/hls.min.js"
PAGE = "/test/player.html"
PLAYER = """<!doctype html><title>Player</title><link rel="icon" href="data:,"><video muted></video>
<script src="hls.js"></script>
<script>
  const video = document.querySelector("video");
  const url = new URLSearchParams(location.search).get("url");
  const hls = new Hls({ enableWorker: false });
  const played = new Promise((resolve, reject) => {
    video.addEventListener("ended", () => resolve([video.currentTime, video.videoWidth, video.videoHeight]));
    video.addEventListener("error", () => reject(new Error(video.error.message)));
    hls.on(Hls.Events.ERROR, (_, { details, fatal }) => fatal && reject(new Error(details)));
  });
  hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
  video.playbackRate = 4;
  hls.loadSource(url);
  hls.attachMedia(video);
</script>"""


@pytest.mark.parametrize("fmp4", [False, True], ids=["MPEG-TS", "fMP4"])
def test_a_finished_stream_plays(watched: Watched, service: Service, origin: Origin, npm: Path, *, fmp4: bool) -> None:
    stream = media.hls_vod(3, 1.0, fmp4=fmp4, variants=2, encryption="rotation")
    origin.put_all(stream.files, under=f"/{fmp4}/")
    user = service.user()
    task = user.create(origin.url(f"/{fmp4}/{stream.master}"))
    assert user.wait(task["id"])["status"] == "COMPLETED"
    url = user.execute("query($id: ID!) { task(id: $id) { playbackUrl } }", id=task["id"])["task"]["playbackUrl"]

    def serve_the_player(route: Route) -> None:
        if urlsplit(route.request.url).path == PAGE:
            route.fulfill(body=PLAYER, content_type="text/html")
        else:
            route.fulfill(path=npm / HLS_JS)

    watched.page.route(lambda url: urlsplit(url).path.startswith("/test/"), serve_the_player)
    watched.page.goto(f"{service.url}{PAGE}?url={url}")
    seconds, *size = watched.page.evaluate("played")

    assert seconds == pytest.approx(stream.duration, abs=0.3)
    assert tuple(size) == stream.size
    fetched = [url for url in watched.requests if "/media/" in url and ".m3u8" not in url]
    assert len(fetched) == len(stream.segments) + fmp4
