"""A Chromium without a window, a service, and an eye on everything that a page asks for and complains of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.e2e.service import Service
from tests.origin import Origin
from web.pages import BUILT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECONDS = 20  # for whatever a page is awaited to show

_MISSING = [
    *([] if CHROMIUM else ["NO CHROMIUM ON THIS MACHINE: apt-get install chromium"]),
    *([] if (BUILT / ".built").is_file() else ["THE PAGES ARE NOT BUILT: make ui"]),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing here runs without the two."""
    for item in items:
        if _MISSING and item.path.is_relative_to(__file__.rpartition("/")[0]):
            item.add_marker(pytest.mark.skip(reason=_MISSING[0]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Loud, also where skips are not listed."""
    for line in _MISSING:
        terminalreporter.section(f"{line}. No page was tried in a browser", sep="!", red=True, bold=True)


@dataclass
class Watched:
    """A page, and what has happened on it."""

    page: Page
    requests: list[str] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """From now on. A violation of the Content-Security-Policy is an error on the console."""
        self.page.context.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.sockets.append(socket.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: self.complaints.append(line.text) if line.type != "info" else None)

    def elsewhere(self, service: Service) -> list[str]:
        """What was asked of anything but the service."""
        ours = (f"{service.url}/", "data:", f"blob:{service.url}/")
        sockets = [url for url in self.sockets if url != f"ws{service.url.removeprefix('http')}/graphql"]
        return [url for url in self.requests if not url.startswith(ours)] + sockets


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service"), EGRESS_ALLOW=origin.host_port, AUTO_RETRY="false") as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Whatever name a page or the browser itself asks for, there is nothing but this machine.

    While it is there its driver keeps this thread's event loop, so all tests of this package are plain functions.
    """
    expect.set_options(timeout=SECONDS * 1000)
    rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=[rules])
        yield running
        running.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile of its own."""
    opened = browser.new_context(viewport={"width": 1280, "height": 800})
    opened.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.set_default_timeout(SECONDS * 1000)
    yield opened
    opened.close()


@pytest.fixture
def watched(context: BrowserContext, service: Service) -> Iterator[Watched]:
    """Afterwards nothing has been asked of others, and nothing has been complained of."""
    watched = Watched(context.new_page())
    watched.watch()
    yield watched
    assert watched.elsewhere(service) == []
    assert watched.complaints == []
