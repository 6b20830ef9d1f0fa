"""How fast a run is."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

WINDOW = 5.0  # seconds: long enough to be calm, short enough to follow a stall


@dataclass
class Speed:
    """Bytes per second over the last five seconds."""

    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def update(self, total: int) -> float | None:
        """Take in the bytes so far; None until there is something to compare with."""
        now = time.monotonic()
        self.samples.append((now, total))
        while len(self.samples) > 2 and now - self.samples[1][0] >= WINDOW:
            self.samples.popleft()
        then, before = self.samples[0]
        return max(0, total - before) / (now - then) if now > then else None
