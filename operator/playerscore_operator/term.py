"""How long this replica may write: so that one that was frozen, or cut off, writes nothing when it comes back."""

import asyncio
import math
import time

LOOK_SECONDS = 0.2


class Term:
    """Ends by itself unless it is extended; without an election it has no end."""

    def __init__(self) -> None:
        self._end = math.inf

    @property
    def over(self) -> bool:
        return time.monotonic() >= self._end

    def extend(self, end: float) -> None:
        """Until that moment, monotonic seconds."""
        self._end = end

    async def runs(self) -> None:
        """Wait while it is over."""
        while self.over:
            await asyncio.sleep(LOOK_SECONDS)
