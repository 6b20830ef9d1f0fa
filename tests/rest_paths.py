"""The contract as data: each documented path, and the rows of a user that it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
from domain.values import TaskStatus
from storage.keys import names_for
from tests.builders import a_failure, a_task, a_video
from tests.rest import FAILURE_KEYS, NEW_TASK, REPORT_KEYS, TASK_KEYS, VIDEO_KEYS, Rest, User

NO_TASK, NO_FAILURE, NO_VIDEO = "任务不存在", "失败记录不存在", "视频不存在"
CSV = {"file": ("tasks.csv", b"liveroom_id,resource_url,resource_type\nroom-1,https://media.example/a.mp4,mp4\n")}


@dataclass
class Shelf:
    """One task of a user, its failure, and its video if it has one."""

    task: DownloadTask
    failure: DownloadFailure
    video: DownloadedVideo | None = None

    def path(self, template: str) -> str:
        ids = {"task_id": self.task.id, "failure_id": self.failure.id, "video_id": self.task.video_id}
        return template.format_map(ids)


def a_shelf(
    user: User, task: dict[str, Any] | None = None, failure: dict[str, Any] | None = None, *, video: bool = True
) -> Shelf:
    """A failed task with a failure that can be retried, but for what is said otherwise."""
    row = a_task(**{"user_id": user.id, "status": TaskStatus.FAILED, "segments_total": 10} | (task or {}))
    return Shelf(row, a_failure(row, **failure or {}), a_video(row) if video else None)


def put(rest: Rest, shelf: Shelf) -> Shelf:
    """Into the database."""
    rest.keep(shelf.task, shelf.failure, *([shelf.video] if shelf.video else []))
    return shelf


def a_failure_body(shelf: Shelf) -> dict[str, Any]:
    return {
        "resource_url": "https://media.example/0.ts",
        "expected_path": names_for(shelf.task).segment(7, ".ts"),
        "resource_type": "ts",
        "failure_type": "timeout",
        "error_message": "lost",
    }


def a_video_body(shelf: Shelf) -> dict[str, Any]:
    return {
        "video_id": str(shelf.task.video_id),
        "liveroom_id": "room-1",
        "video_type": "hls",
        "video_url": "https://media.example/index.m3u8",
        "storage_path": names_for(shelf.task).hls_folder,
        "status": "completed",
    }


@dataclass(frozen=True)
class Path:
    """A row of the contract. ``keys`` are those of the data, or of the items where it is a page."""

    method: str
    path: str
    status: int
    message: str
    keys: list[str]
    page: bool = False
    not_found: str = ""
    json: Callable[[Shelf], dict[str, Any]] | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def video(self) -> bool:
        """Whether the task has a video already."""
        return self.json is not a_video_body

    def send(self, user: User, shelf: Shelf) -> httpx.Response:
        body = {"json": self.json(shelf)} if self.json else {}
        return user.send(self.method, shelf.path(self.path), **body, **self.options)


T, F, V = "/tasks/{task_id}", "/failures/{failure_id}", "/videos/{video_id}"
PATHS = [
    Path("POST", "/tasks", 201, "创建下载任务成功", TASK_KEYS, json=lambda _: NEW_TASK),
    Path("GET", "/tasks", 200, "获取下载任务列表成功", TASK_KEYS, page=True),
    Path("GET", T, 200, "获取下载任务详情成功", TASK_KEYS, not_found=NO_TASK),
    Path("PUT", T, 200, "更新下载任务成功", TASK_KEYS, not_found=NO_TASK, json=lambda _: {"priority": 80}),
    Path("PATCH", T, 200, "更新下载任务成功", TASK_KEYS, not_found=NO_TASK, json=lambda _: {"priority": 80}),
    Path("DELETE", T, 200, "删除下载任务成功", [], not_found=NO_TASK),
    Path("POST", f"{T}/start", 200, "下载任务成功", TASK_KEYS, not_found=NO_TASK),
    Path("POST", f"{T}/retry", 200, "重试下载任务成功", TASK_KEYS, not_found=NO_TASK),
    Path("POST", f"{T}/failures", 201, "创建下载失败记录成功", FAILURE_KEYS, not_found=NO_TASK, json=a_failure_body),
    Path("GET", f"{T}/failures", 200, "获取下载失败记录列表成功", FAILURE_KEYS, page=True, not_found=NO_TASK),
    Path("POST", f"{T}/videos", 201, "创建已下载视频记录成功", VIDEO_KEYS, not_found=NO_TASK, json=a_video_body),
    Path("GET", f"{T}/videos", 200, "获取已下载视频列表成功", VIDEO_KEYS, page=True, not_found=NO_TASK),
    Path("POST", f"{T}{F}/retry", 200, "重试失败记录成功", FAILURE_KEYS, not_found=NO_FAILURE),
    Path("POST", f"{T}{F}/abandon", 200, "放弃失败记录成功", FAILURE_KEYS, not_found=NO_FAILURE),
    Path("POST", f"{F}/retry", 200, "重试失败记录成功", FAILURE_KEYS, not_found=NO_FAILURE),
    Path("POST", f"{F}/abandon", 200, "放弃失败记录成功", FAILURE_KEYS, not_found=NO_FAILURE),
    Path("GET", V, 200, "获取已下载视频详情成功", VIDEO_KEYS, not_found=NO_VIDEO),
    Path("GET", "/failures", 200, "获取全局失败记录列表成功", FAILURE_KEYS, page=True),
    Path("GET", F, 200, "获取失败记录详情成功", FAILURE_KEYS, not_found=NO_FAILURE),
    Path("GET", "/videos", 200, "获取全局视频列表成功", VIDEO_KEYS, page=True),
    Path("POST", "/tasks/batch-import", 201, "批量导入任务成功", REPORT_KEYS, options={"files": CSV}),
]
