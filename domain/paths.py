"""Paths that callers give: kept to be read by people, never used to reach a file."""

from __future__ import annotations

import re
from uuid import UUID

from domain.errors import OutsideTaskFolderError

MAX_NAME = 255

_FORBIDDEN = re.compile(r"[\\\x00-\x1f\x7f\ud800-\udfff]")


def folder_of(video_id: UUID) -> str:
    """Everything of a task lies under this folder; relative to the storage root, with its slash."""
    return f"video_{video_id}/"


def check_under(path: str, folder: str, field: str) -> None:
    """Raises OutsideTaskFolderError unless ``path`` names something under ``folder``, spelled the plain way.

    Plain: no ``.``, ``..`` or empty name, no backslash or control character, at most 255 characters a name.
    """
    names = path.removeprefix(folder).split("/")
    plain = all(name not in {"", ".", ".."} and len(name) <= MAX_NAME for name in names)
    if not path.startswith(folder) or not plain or _FORBIDDEN.search(path):
        raise OutsideTaskFolderError(f"The path must lie under {folder}.", field=(field,))
