"""A network of real nodes, for the slow tests; skipped where the node program is not built."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.network.build import engine_path


@pytest.fixture(scope="session")
def program() -> Path:
    """The node program."""
    path = engine_path()
    if not path.exists():
        pytest.skip("the node program is not built: `kopeck network build` (needs Go and a C compiler)")
    return path
