"""Where events go: every logger's, the libraries' too, in one format to standard error and to LOG_DIR."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Collection
from pathlib import Path
from types import TracebackType

from telemetry.daily import DailyFile
from telemetry.formats import ROOMS, EcsFormatter, TextFormatter
from telemetry.redaction import Redactor
from telemetry.writer import LineHandler, Writer, to_stderr

logger = logging.getLogger(__name__)


def configure(
    log_format: str,
    level: str,
    *,
    folder: Path | None = None,
    role: str = "serve",
    secrets: Collection[str] = (),
) -> None:
    """Begin to log. ``log_format`` is ``json`` or ``text``; ``role`` is part of the names of the files in ``folder``.

    ``secrets`` are masked wherever they turn up.
    """
    places = [to_stderr, *([DailyFile(folder, role).write] if folder is not None else [])]
    handler = LineHandler([Writer(place) for place in places])
    handler.setFormatter((TextFormatter if log_format == "text" else EcsFormatter)(Redactor(secrets)))
    _set_levels(level)
    _take_over_what_nobody_caught()
    logging.basicConfig(handlers=[handler], force=True)


def _set_levels(level: str) -> None:
    """Libraries are heard from WARNING on: below it they log URLs, headers and frames as they are."""
    chosen = logging.getLevelNamesMapping()[level]
    logging.getLogger().setLevel(max(chosen, logging.WARNING))
    for room in ROOMS:
        logging.getLogger(room).setLevel(chosen)


def _take_over_what_nobody_caught() -> None:
    """Python would print it, in many lines, with every message as it is."""
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):  # that is how its user ends it
        return
    logger.critical("The process ends by an error", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread is not None else "gone"
    logger.critical("The thread %s ended by an error", name, exc_info=args.exc_value)


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    logger.error("An error could not be raised", exc_info=args.exc_value)
