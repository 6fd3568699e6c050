"""The door over the small town, and clients of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from tests.api.town import PASSWORD, Town, make_town

LogIn = Callable[[str], TestClient]


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """A town of this test's own."""
    return make_town(tmp_path)


@pytest.fixture
def anonymous(town: Town) -> TestClient:
    """A client without a token."""
    return TestClient(create_app(town.context), raise_server_exceptions=False)


@pytest.fixture
def log_in(town: Town) -> LogIn:
    """Makes a client that is logged in."""

    def make(login: str) -> TestClient:
        client = TestClient(create_app(town.context), raise_server_exceptions=False)
        opened = client.post("/v1/sessions", json={"login": login, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {opened.json()['token']}"
        return client

    return make


@pytest.fixture
def resident(log_in: LogIn) -> TestClient:
    """Resident 12, whose account is 10000012."""
    return log_in("resident12")
