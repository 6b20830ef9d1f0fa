"""The CSV of an import (RFC 4180): rows as they stand, not yet judged."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import TextIOWrapper
from itertools import dropwhile, islice
from typing import IO

from domain.errors import ParameterError

MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_ROWS = 1_000
REQUIRED = ("liveroom_id", "resource_url", "resource_type")
OPTIONAL = ("liveroom_title", "liveroom_url")

Cells = dict[str, str]


class CsvError(ParameterError):
    """The file cannot be imported; the message is the documented one."""

    def __init__(self, message: str, **data: object) -> None:
        super().__init__(message)
        self.data = data or None


def read_rows(file: IO[bytes]) -> list[Cells]:
    """All rows by the header's names, without the space around their texts. Raises CsvError.

    No more is read than a row beyond the limit. A formula is a text like any other.
    """
    text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        rows = list(islice(_rows(text), MAX_ROWS + 1))
    except UnicodeDecodeError:
        raise CsvError("文件编码错误，请使用UTF-8编码") from None
    except csv.Error:
        raise CsvError("CSV文件格式错误") from None
    finally:
        text.detach()  # who opened the file closes it
    if not rows:
        raise CsvError("文件不能为空")
    if len(rows) > MAX_ROWS:
        raise CsvError(f"CSV文件超过最大行数限制（{MAX_ROWS}行）")
    return rows


def _rows(text: TextIOWrapper) -> Iterator[Cells]:
    # strict: an open quote would swallow the rest of the file
    reader = csv.reader(dropwhile(str.isspace, _lines(text)), strict=True)
    names = [name.strip() for name in next(reader, [])]
    missing = [name for name in REQUIRED if name not in names]
    if names and missing:
        message = f"CSV文件格式错误: 缺少必需列 {', '.join(missing)}"
        raise CsvError(message, required_columns=list(REQUIRED), missing_columns=missing)
    for cells in reader:
        if cells:  # a blank line is no row
            yield dict.fromkeys((*REQUIRED, *OPTIONAL), "") | dict(zip(names, map(str.strip, cells), strict=False))


def _lines(text: TextIOWrapper) -> Iterator[str]:
    for line in text:
        if "\0" in line:  # UTF-16 without its mark
            raise CsvError("文件编码错误，请使用UTF-8编码")
        yield line
