"""What a person does on the downloads page, and sees there."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.e2e.service import Service

WORDS: dict[str, dict[str, str]] = {
    "en-GB": {
        "new": "New download",
        "urls": "URLs",
        "room": "Live room",
        "title": "Title",
        "add": "Add download",
        "all": "All downloads",
        "downloading": "Downloading",
        "partial": "Incomplete",
        "completed": "Completed",
        "failed": "failed",
        "retry": "Retry",
        "retry all": "Retry all",
        "delete": "Delete",
        "none": "No downloads yet",
        "not found": "This download does not exist",
        "lost": "The connection is lost.",
        "expired": "Your session has expired.",
        "token": "Access token",
        "sign in": "Sign in",
    },
    "zh-CN": {
        "new": "新建下载",
        "urls": "网址",
        "room": "直播间",
        "title": "标题",
        "add": "添加下载",
        "all": "所有下载",
        "downloading": "下载中",
        "partial": "不完整",
        "completed": "已完成",
        "failed": "失败",
        "retry": "重试",
        "retry all": "全部重试",
        "delete": "删除",
        "none": "还没有下载",
        "not found": "此下载不存在",
        "lost": "连接已断开",
        "expired": "会话已过期",
        "token": "访问令牌",
        "sign in": "登录",
    },
}

BLOBS = """(canvas, name) => {
  const colour = getComputedStyle(canvas).getPropertyValue("--cell-" + name).trim();
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  const { width, height } = canvas;
  const copy = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", {
    willReadFrequently: true,
  });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, width, height);
  const seen = new Uint8Array(width * height);
  const is = (at) => data[at * 4] === red && data[at * 4 + 1] === green && data[at * 4 + 2] === blue;
  const blobs = [];
  for (let start = 0; start < width * height; start += 1) {
    if (seen[start] || !is(start)) continue;
    const [x, y] = [start % width, Math.floor(start / width)];
    const open = [start];
    while (open.length) {
      const at = open.pop();
      if (at < 0 || at >= width * height || seen[at] || !is(at)) continue;
      seen[at] = 1;
      open.push(at + width, at - width);
      if ((at + 1) % width) open.push(at + 1);
      if (at % width) open.push(at - 1);
    }
    blobs.push([x / devicePixelRatio, y / devicePixelRatio]);
  }
  return blobs;
}"""
"""The corner of each patch of a state's colour. Cells do not touch, so each is a patch of its own."""


WITHIN = """() => document.scrollingElement.scrollWidth <= innerWidth && [...document.querySelectorAll(".card")].every(
  (card) => card.getBoundingClientRect().right <= card.parentElement.parentElement.getBoundingClientRect().right
    && card.getBoundingClientRect().width <= card.parentElement.getBoundingClientRect().width + 1
    || getComputedStyle(card.parentElement).display === "contents")"""


class DownloadsPage:
    """The page at /, in the language of its browser."""

    def __init__(self, page: Page, service: Service, language: str = "en-GB") -> None:
        self.page, self.service, self._words = page, service, WORDS[language]

    def open(self, token: str, where: str = "") -> None:
        """By the link that `make run` prints."""
        self.page.goto(f"{self.service.url}/#token={token}")
        expect(self.page.get_by_role("navigation")).to_be_visible()
        if where:
            self.go(where)

    def go(self, where: str) -> None:
        """To a view, by its address."""
        self.page.evaluate("where => { location.hash = where }", where)

    def word(self, name: str) -> str:
        return self._words[name]

    def button(self, name: str, within: Page | Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("button", name=self.word(name), exact=True)

    def add(self, url: str, room: str, title: str) -> None:
        """Fill the form in, and send it."""
        self.page.get_by_role("link", name=self.word("new")).first.click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_label(self.word("urls"), exact=True).fill(url)
        dialog.get_by_label(self.word("room")).fill(room)
        dialog.get_by_label(self.word("title")).fill(title)
        self.button("add", dialog).click()
        expect(dialog).to_have_count(0)

    def row(self, title: str) -> Locator:
        return self.page.get_by_role("article", name=title, exact=True)

    def share(self, within: Locator) -> float:
        """How far its progress bar is."""
        return float(within.get_by_role("progressbar").get_attribute("value") or 0)

    # --- one download ---

    @property
    def canvas(self) -> Locator:
        return self.page.locator(".map canvas")

    def cells(self, state: str) -> list[tuple[float, float]]:
        """Where the cells of this state are, in the canvas."""
        found: list[Any] = self.canvas.evaluate(BLOBS, state)
        return [(x, y) for x, y in found]

    def expect_cells(self, state: str, count: int) -> None:
        """They come to be so many."""
        failing = self.page.locator(f".legend li[data-state='{state}'] b")
        expect(failing).to_have_text(str(count)) if count else expect(failing).to_have_count(0)
        self.page.wait_for_function(
            f"([canvas, state, count]) => ({BLOBS})(canvas, state).length === count",
            arg=[self.canvas.element_handle(), state, count],
        )

    def point_at(self, cell: tuple[float, float]) -> list[str]:
        """What the page tells of a cell."""
        self.canvas.hover(position={"x": cell[0] + 3, "y": cell[1] + 3})
        return self.page.locator(".tip span").all_inner_texts()

    def play_to_the_end(self) -> float:
        """As fast as Chromium can; where it stops, in seconds."""
        video = self.page.locator("video")
        expect(video).to_be_visible()
        ended: float = video.evaluate(
            """async (video) => {
              video.muted = true;
              video.playbackRate = 16;
              const ended = new Promise((resolve, reject) => {
                video.addEventListener("ended", () => resolve(video.currentTime));
                video.addEventListener("error", () => reject(new Error(video.error?.message)));
              });
              await video.play();
              return ended;
            }"""
        )
        assert video.evaluate("video => video.ended")
        return ended

    def seek(self, seconds: float) -> float:
        """Where it then is."""
        found: float = self.page.locator("video").evaluate(
            """(video, seconds) => new Promise((resolve) => {
              video.addEventListener("seeked", () => resolve(video.currentTime), { once: true });
              video.currentTime = seconds;
            })""",
            seconds,
        )
        return found

    def is_within_the_screen(self) -> bool:
        """Nothing has to be scrolled sideways, and no card is wider than its place."""
        return bool(self.page.evaluate(WITHIN))


def total(text: str) -> int:
    """The number in it."""
    found = re.search(r"\d[\d,]*", text)
    return int(found[0].replace(",", "")) if found else 0
