"""Memory into which payloads are read, and which is used again."""

from __future__ import annotations

LARGE_BYTES = 32 << 20  # The C library keeps memory for itself up to this size.
ROOM_BYTES = 64 << 20


class PayloadRoom:
    """Memory for large payloads that is used again.

    The system gives new memory for each allocation above LARGE_BYTES, and clears it page by page
    as it is written, which takes three times as long as to read a payload into it.
    """

    def __init__(self) -> None:
        self._memory, self._used = memoryview(b""), 0

    def empty(self) -> None:
        """Say that what was read there is needed no more."""
        self._used = 0

    def take(self, size_bytes: int) -> memoryview | None:
        """Memory of that size; None where it would be small, or there is no room beside others."""
        if size_bytes <= LARGE_BYTES:
            return None
        if size_bytes > len(self._memory) and not self._used:
            import numpy as np  # Whoever only lists runs reads no payload.

            self._memory = np.empty(max(ROOM_BYTES, size_bytes), np.uint8).data
        end = self._used + size_bytes
        if end > len(self._memory):
            return None
        taken, self._used = self._memory[self._used : end], end
        return taken
