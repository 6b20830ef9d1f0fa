"""The rows that all servers read: made by the database itself, the same ones every time."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Engine, text

from persistence.engine import open_engine
from persistence.migrate import migrate

TASKS = 100_000
USER = UUID("00000000-0000-4000-8000-0000000000b1")
START = "timestamptz '2025-06-14T10:00:00.123456Z'"

# md5 makes ids that are no sequence, as those of uuid4 are none.
_TASKS = f"""
INSERT INTO download_tasks (
    id, user_id, video_id, liveroom_id, liveroom_title, liveroom_url, resource_url, resource_type, status, paused,
    priority, max_retries, retry_count, progress, bytes_downloaded, bytes_total, bytes_per_second,
    segments_downloaded, segments_total, is_live, finish_requested, last_error, run_number, version,
    started_at, completed_at, created_at, updated_at)
SELECT
    md5('task ' || i)::uuid, CAST(:user_id AS uuid), md5('video ' || i)::uuid, 'room-' || i % 1000,
    'Evening stream no. ' || i, 'https://live.example/room-' || i % 1000,
    'https://media.example/live/' || i || '/index.m3u8', 'hls',
    (ARRAY['completed', 'completed', 'partial_completed', 'completed', 'failed'])[1 + i % 5], false,
    i % 101, 3, i % 3, (i % 1001) / 1000.0, i * 12345::bigint, i * 12345::bigint, null,
    i % 600, 600, false, false, CASE WHEN i % 5 IN (2, 4) THEN 'HTTP 404 for some segments.' END, 1, 4,
    {START} + i * interval '1 s', CASE WHEN i % 5 < 4 THEN {START} + i * interval '2 s' END,
    {START} + i * interval '1 s', {START} + i * interval '1 s' + interval '90 s'
FROM generate_series(:low + 1, :high) AS i
"""  # noqa: S608 - a constant of ours
_FAILURES = f"""
INSERT INTO download_failures (
    id, task_id, resource_url, resource_type, failure_type, error_message, expected_path, standard_name, segment_index,
    piece_key, status, retry_count, auto_retry_count, created_at, updated_at)
SELECT
    md5('failure ' || i || ' ' || n)::uuid, md5('task ' || i)::uuid,
    'https://media.example/live/' || i || '/' || n || '.ts', 'ts',
    (ARRAY['network_error', 'timeout', 'invalid_content'])[1 + n % 3], 'HTTP 404',
    'video_' || md5('video ' || i)::uuid || '/hls/ts/segment_' || n || '.ts', 'segment_' || n || '.ts', n,
    'video_' || md5('video ' || i)::uuid || '/hls/ts/segment_' || n || '.ts',
    'pending', n % 4, 0, {START} + n * interval '1 s', {START} + n * interval '1 s'
FROM generate_series(:low + 1, :high) AS i, generate_series(1, i % 7) AS n
"""  # noqa: S608 - a constant of ours
_VIDEOS = f"""
INSERT INTO downloaded_videos (
    id, task_id, video_id, liveroom_id, liveroom_title, video_type, video_url, storage_path, status, file_size,
    duration, resolution, format, created_at, updated_at)
SELECT
    md5('row ' || i)::uuid, md5('task ' || i)::uuid, md5('video ' || i)::uuid, 'room-' || i % 1000,
    'Evening stream no. ' || i, 'hls', 'https://media.example/live/' || i || '/index.m3u8',
    'video_' || md5('video ' || i)::uuid || '/hls', 'completed', i * 12345::bigint, i % 7200 + 0.25, '1280x720', 'hls',
    {START} + i * interval '2 s', {START} + i * interval '2 s'
FROM generate_series(:low + 1, :high) AS i WHERE i % 5 < 4
"""  # noqa: S608 - a constant of ours


def fill(url: str, tasks: int = TASKS) -> None:
    """Migrate the empty database at ``url``; ``USER`` has so many tasks then, most with failures, most with a video."""
    engine = open_engine(url, pool_size=1)
    try:
        migrate(engine)
        grow(engine, 0, tasks)
    finally:
        engine.dispose()


def grow(engine: Engine, low: int, high: int) -> None:
    """From ``low`` to ``high`` tasks."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for rows in (_TASKS, _FAILURES, _VIDEOS):
            wanted = {"low": low, "high": high, "user_id": str(USER)}
            connection.execute(text(rows), {name: value for name, value in wanted.items() if f":{name}" in rows})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
