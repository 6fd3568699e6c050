"""One story for the whole folder. Its chain is gone before the first test: verifiers have the files alone."""

from __future__ import annotations

import pytest

from tests.capsule.story import Told, told_anew


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return told_anew(tmp_path_factory.mktemp("told"))
