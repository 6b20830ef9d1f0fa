"""The documented paths of videos: the finished results, images too."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from domain.models import DownloadedVideo
from domain.queries import VideoFilter
from web.envelope import create_response
from web.rest_models import NewVideoBody, TaskId, Video, VideoId
from web.rest_query import SORTED_VIDEOS, ListQuery, VideoQuery
from web.rest_route import Caller, SignedIn


def _shown(caller: SignedIn, video: DownloadedVideo) -> Video:
    cover_url = caller.playback_urls.cover(video, caller.user_id)
    return Video.of(video).model_copy(update={"cover_url": cover_url})


def create_video(caller: Caller, task_id: TaskId, body: NewVideoBody) -> Response:
    """Record a video · 创建已下载视频记录.

    A result that the caller vouches for; nothing else of the task changes.
    """
    with caller.services() as services:
        video = services.videos.create_downloaded_video(caller.user_id, task_id, body.to_domain())
    return create_response(201, "创建已下载视频记录成功", _shown(caller, video))


def list_task_videos(caller: Caller, task_id: TaskId, query: Annotated[ListQuery, Query()]) -> Response:
    """List a task's videos · 获取已下载视频列表.

    There is at most one.
    """
    order, where = query.order(SORTED_VIDEOS), VideoFilter()
    with caller.services() as services:
        total = services.videos.count_downloaded_videos(caller.user_id, where, task_id)
        page = services.videos.list_downloaded_videos(caller.user_id, where, order, query.request, task_id)
    return create_response(200, "获取已下载视频列表成功", query.show(map(partial(_shown, caller), page.items), total))


def list_videos(caller: Caller, query: Annotated[VideoQuery, Query()]) -> Response:
    """List videos · 获取全局视频列表.

    Of all the user's tasks.
    """
    order, where = query.order(SORTED_VIDEOS), query.where
    with caller.services() as services:
        total = services.videos.count_downloaded_videos(caller.user_id, where)
        page = services.videos.list_downloaded_videos(caller.user_id, where, order, query.request)
    return create_response(200, "获取全局视频列表成功", query.show(map(partial(_shown, caller), page.items), total))


def get_video(caller: Caller, video_id: VideoId) -> Response:
    """Get a video · 获取已下载视频详情.

    By the `video_id` of its task.
    """
    with caller.services() as services:
        video = services.videos.get_downloaded_video(caller.user_id, video_id)
    return create_response(200, "获取已下载视频详情成功", _shown(caller, video))
