"""SIGTERM and Ctrl+C during a training: it ends its update and saves; again, it stops at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_FINISHING = b"\nending the update and saving; Ctrl+C again stops at once\n"


class StopSignal:
    """Remembers that a signal came, until there is a good moment to stop."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._number: int | None = None

    def __call__(self) -> bool:
        """Whether it is time to stop."""
        return self._number is not None

    def leave(self) -> None:
        """End the process as the signal asks: with 0 for SIGTERM, as interrupted for Ctrl+C.

        Raises:
            SystemExit: SIGTERM came. Not an exception that ends one job of a sweep only.
            KeyboardInterrupt: SIGINT came.
        """
        if self._number == signal.SIGTERM:
            raise SystemExit(0)
        if self._number == signal.SIGINT:
            raise KeyboardInterrupt

    def take(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        if number == signal.SIGINT:
            if self():
                raise KeyboardInterrupt
            # Not print: it may be what the signal interrupted.
            os.write(2, _FINISHING)
        self._number = number


@contextmanager
def stop_signals() -> Iterator[StopSignal]:
    """Take SIGTERM and SIGINT inside; only the main thread can, elsewhere they stay as they are."""
    stop = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, stop.take) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
