"""Whether the object store is out of reach: learnt from whoever fails, and found over by asking again and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

ASK_AGAIN = 2.0  # seconds


class Outage:
    """While it lasts nobody waits for an answer that does not come, and nothing is fetched that could not be kept."""

    def __init__(self, answers: Callable[[], bool], ask_again: float = ASK_AGAIN) -> None:
        self._answers = answers
        self._ask_again = ask_again
        self._lock = threading.Lock()
        self._on = False

    @property
    def is_on(self) -> bool:
        return self._on

    def begin(self) -> None:
        """Ask from now on, until there is an answer."""
        with self._lock:
            if self._on:
                return
            self._on = True
        logger.warning("The object store does not answer; nothing is stored until it does")
        threading.Thread(target=self._wait, name="object-store-outage", daemon=True).start()

    def _wait(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._ask_again)
            if self._answers():
                self._on = False
                logger.warning("The object store answers again")
                return
