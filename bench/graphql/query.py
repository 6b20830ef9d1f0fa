"""The question, how each server is asked it, and what makes two answers the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bench.graphql.data import USER

TASK = """
    id videoId liveroomId liveroomTitle liveroomUrl resourceUrl resourceType status paused progress bytesDownloaded
    bytesTotal bytesPerSecond segmentsDownloaded segmentsTotal isLive retryCount maxRetries priority lastError createdAt
    updatedAt startedAt completedAt
"""
FAILURE = "id resourceUrl resourceType failureType errorMessage segmentIndex status retryCount createdAt"
VIDEO = "id storagePath videoType status fileSize duration resolution format createdAt"

QUERY = f"""{{ tasks(first: 20) {{ nodes {{ {TASK}
    failures(first: 5) {{ nodes {{ {FAILURE} }} }} video {{ {VIDEO} }} }} }} }}"""
WITH_COMPUTED = QUERY.replace("isLive", "isLive etaSeconds playbackUrl")
"""What no other server has: computed from the row, signed, and written to the answer."""

_NEWEST = "orderBy: [CREATED_AT_DESC, ROW_ID_DESC]"
FOR_POSTGRAPHILE = f"""{{ tasks: allDownloadTasks(first: 20, condition: {{userId: "{USER}"}}, {_NEWEST}) {{ nodes {{
    {TASK.replace("id", "id: rowId", 1)}
    failures: downloadFailuresByTaskId(first: 5, {_NEWEST}) {{ nodes {{ {FAILURE.replace("id", "id: rowId", 1)} }} }}
    video: downloadedVideoByTaskId {{ {VIDEO.replace("id", "id: rowId", 1)} }} }} }} }}"""

_ENUMS = {"resourceType", "status", "failureType", "videoType"}
_LARGE = {"bytesDownloaded", "bytesTotal", "fileSize"}


def content(answer: Any, name: str = "") -> Any:  # noqa: ANN401 - JSON
    """The same for two answers that say the same: enums, instants and large numbers are written differently."""
    match answer:
        case dict():
            return {key: content(value, key) for key, value in answer.items()}
        case list():
            return [content(each, name) for each in answer]
        case str() if name in _ENUMS:
            return answer.upper()
        case str() if name.endswith("At"):
            return datetime.fromisoformat(answer)
        case str() if name in _LARGE:
            return int(answer)
    return answer
