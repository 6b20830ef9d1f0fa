"""POST /tasks/batch-import: many tasks from one CSV, and what became of each row."""

from __future__ import annotations

from time import perf_counter
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import File, Form, UploadFile
from pydantic import BaseModel
from starlette.responses import Response

from domain.errors import DuplicateError, InvalidInputError, ServiceError
from domain.inputs import NewTask
from domain.models import DownloadTask
from domain.values import ResourceType
from web.csv_file import MAX_FILE_BYTES, Cells, CsvError, read_rows
from web.envelope import create_response
from web.middleware import BodyTooLarge
from web.rest_errors import refusal_of
from web.rest_route import PREFIX, Caller
from web.rest_rules import rule_broken

PATH = "/tasks/batch-import"
BODY_LIMITS = {PREFIX + PATH: MAX_FILE_BYTES + 6 * 1024 * 1024}
"""Bytes. Beyond the file's own limit, so that of a file somewhat too large the exact size can be told."""

MAX_SHOWN_IDS = 100
FIRST_ROW = 2  # the header is row 1

Outcome = DownloadTask | ServiceError | str
"""What became of a row: a task, or why there is none, in the domain's words or in the documented ones."""


class FailedRow(BaseModel):
    """A row that made no task."""

    row: int
    liveroom_id: str
    resource_url: str
    error: str


class SkippedRow(BaseModel):
    """A row whose task is there already."""

    row: int
    liveroom_id: str
    resource_url: str
    reason: str


class ImportReport(BaseModel):
    """What became of the rows. ``processing_time`` is in seconds."""

    total: int
    success: int = 0
    failed: int = 0
    skipped: int = 0
    created_task_ids: list[UUID] = []
    failed_rows: list[FailedRow] = []
    skipped_rows: list[SkippedRow] = []
    processing_time: float = 0

    def add(self, row: int, cells: Cells, outcome: Outcome, *, skip_duplicates: bool) -> None:
        """Count one row."""
        where: dict[str, Any] = {"row": row, "liveroom_id": cells["liveroom_id"], "resource_url": cells["resource_url"]}
        if isinstance(outcome, DownloadTask):
            self.success += 1
            if self.success <= MAX_SHOWN_IDS:
                self.created_task_ids.append(outcome.id)
        elif skip_duplicates and isinstance(outcome, DuplicateError):
            self.skipped += 1
            self.skipped_rows.append(SkippedRow(**where, reason=_words(outcome)))
        else:
            self.failed += 1
            self.failed_rows.append(FailedRow(**where, error=_words(outcome)))

    @property
    def verdict(self) -> tuple[Literal[201, 207, 400], str]:
        """Code and message."""
        if self.failed == self.total:
            return 400, "批量导入失败，所有行都处理失败"
        if self.failed or self.skipped:
            return 207, "批量导入部分成功"
        return 201, "批量导入任务成功"


def import_tasks(
    caller: Caller,
    file: Annotated[UploadFile, File(description="A .csv in UTF-8 with a header row. CSV文件")],
    skip_duplicates: Annotated[bool, Form(description="Report duplicates as skipped, not failed.")] = False,
    auto_start: Annotated[bool, Form(description="Start what is created.")] = False,
) -> Response:
    """Import tasks from a CSV · 批量导入任务.

    A bad row is reported and stops no other. Beyond 10 MB or 1,000 rows nothing is stored.

    Columns `liveroom_id`, `resource_url`, `resource_type`, and if you like `liveroom_title`, `liveroom_url`.
    """
    began = perf_counter()
    rows = read_rows(_checked(file).file)
    report = ImportReport(total=len(rows))
    for row, (cells, outcome) in enumerate(zip(rows, _import(caller, rows, auto_start), strict=True), FIRST_ROW):
        report.add(row, cells, outcome, skip_duplicates=skip_duplicates)
    report.processing_time = round(perf_counter() - began, 3)
    return create_response(*report.verdict, report)


def _checked(file: UploadFile) -> UploadFile:
    if not (file.filename or "").lower().endswith(".csv"):
        raise CsvError("文件类型错误，必须是CSV文件")
    if (file.size or 0) > MAX_FILE_BYTES:
        raise BodyTooLarge(MAX_FILE_BYTES, file.size or 0)
    return file


def _import(caller: Caller, rows: list[Cells], auto_start: bool) -> list[Outcome]:
    read = [_read(cells, auto_start) for cells in rows]
    with caller.services() as services:
        wanted = [new for new in read if isinstance(new, NewTask)]
        answers = iter(services.imports.create_download_tasks(caller.user_id, wanted))
    return [next(answers) if isinstance(each, NewTask) else each for each in read]


def _read(cells: Cells, auto_start: bool) -> NewTask | str:
    kind = cells["resource_type"]
    if not (cells["liveroom_id"] and cells["resource_url"] and kind):
        return "缺少必填字段"
    if kind not in set(ResourceType):
        return f"无效的resource_type: {kind}，必须是hls/mp4/image之一"
    return NewTask(
        resource_url=cells["resource_url"],
        resource_type=ResourceType(kind),
        liveroom_id=cells["liveroom_id"],
        liveroom_title=cells["liveroom_title"],
        liveroom_url=cells["liveroom_url"],
        auto_start=auto_start,
    )


def _words(outcome: ServiceError | str) -> str:
    match outcome:
        case str():
            return outcome
        case DuplicateError():
            return "任务组合已存在"
        case InvalidInputError():
            return rule_broken(outcome)
    return refusal_of(outcome).message
