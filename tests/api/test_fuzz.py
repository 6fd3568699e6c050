"""Whatever is sent, the door answers as openapi.json says and never with a defect of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error

from api.app import create_app
from tests.api.town import PASSWORD, make_town

_folder = tempfile.TemporaryDirectory(prefix="kopeck-fuzz-")
_door = create_app(make_town(Path(_folder.name)).context)
_token = TestClient(_door).post("/v1/sessions", json={"login": "resident12", "password": PASSWORD}).json()["token"]

schema = schemathesis.openapi.from_asgi("/v1/openapi.json", _door)


@schema.exclude(path="/v1/sessions/current").parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_breaks_the_door(case: Any) -> None:
    if "wait_s" in (case.query or {}):
        case.query["wait_s"] = 0  # nobody here carries a payment out, there is nothing to wait for
    case.call_and_validate(headers={"Authorization": f"Bearer {_token}"}, checks=[not_a_server_error])
