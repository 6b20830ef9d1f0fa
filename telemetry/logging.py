"""One event, one line: JSON in the Elastic Common Schema, or plain text for a terminal."""

from __future__ import annotations

import logging
import sys

from ecs_logging import StdlibFormatter


def configure(log_format: str, level: str) -> None:
    """Send every logger's events to standard error. ``log_format`` is ``json`` or ``text``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(log_format))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _formatter(log_format: str) -> logging.Formatter:
    if log_format == "text":
        return logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    return StdlibFormatter()
