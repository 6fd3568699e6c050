"""Python's search for cycles, put off while work lasts that makes many objects and no cycle among them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is looked through meanwhile: with a hundred thousand objects at a time that is a fifth of the work, with
    a million that stay to the end a sixth. Processes forked within it look for none either."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
