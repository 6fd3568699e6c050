"""Who gets in, and what each may see."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from api.people import Role
from api.throttle import TRIES_PER_LOGIN
from tests.api.conftest import LogIn
from tests.api.town import PASSWORD, Town
from tests.api.town_ledger import hash_of


def test_without_a_token_nothing_of_anybody_is_told(anonymous: TestClient) -> None:
    for path in ("/v1/me", "/v1/accounts", "/v1/bills/1-0", "/v1/suppliers", "/v1/payments/1"):
        answer = anonymous.get(path)
        assert answer.status_code == 401, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["remedy"]


def test_a_cookie_opens_nothing(resident: TestClient, anonymous: TestClient) -> None:
    token = resident.headers["Authorization"].removeprefix("Bearer ")
    anonymous.cookies.set("kopeck_session", token)
    assert anonymous.get("/v1/me").status_code == 401


@pytest.mark.parametrize(
    "path",
    ["", "/proof", "/split?amount_kopecks=100", "/order?payer=0x" + "ab" * 20, "/document.pdf", "/document.html"],
)
def test_another_persons_bill_does_not_exist(resident: TestClient, log_in: LogIn, path: str) -> None:
    theirs = resident.get("/v1/bills/1-2" + path)
    nobodys = resident.get("/v1/bills/9-9" + path)
    assert theirs.status_code == nobodys.status_code == 404
    same = [{k: v for k, v in a.json().items() if k not in ("detail", "instance")} for a in (theirs, nobodys)]
    assert same[0] == same[1]
    assert theirs.json()["detail"].replace("1-2", "9-9") == nobodys.json()["detail"]
    assert log_in("resident13").get("/v1/bills/1-2" + path).status_code == 200


def test_another_persons_account_and_payment_do_not_exist(resident: TestClient, log_in: LogIn) -> None:
    key = {"Idempotency-Key": "a key of mine"}
    mine = resident.post("/v1/payments", json={"bill": "1-0", "maximum_kopecks": 100}, headers=key).json()
    neighbour = log_in("resident13")
    assert resident.get(f"/v1/payments/{mine['id']}").status_code == 200
    assert neighbour.get(f"/v1/payments/{mine['id']}").status_code == 404
    assert neighbour.get("/v1/accounts/10000012/bills").status_code == 404
    stolen = neighbour.post("/v1/payments", json={"bill": "1-0", "maximum_kopecks": 100}, headers=key)
    assert stolen.status_code == 404


def test_a_bill_of_a_vetoed_run_is_nobodys_debt(resident: TestClient) -> None:
    assert resident.get("/v1/bills/2-0").status_code == 404
    assert "2-0" not in resident.get("/v1/accounts").text


def test_addresses_are_told_to_those_who_live_there(resident: TestClient, log_in: LogIn) -> None:
    assert resident.get("/v1/accounts").json()["accounts"][0]["address"] == "ул. Примерная, д. 1, кв. 12"
    assert log_in("regulator").get("/v1/bills/1-0").status_code == 200
    assert "Примерная" not in log_in("regulator").get("/v1/accounts/10000012/bills").text


def test_a_supplier_sees_its_own_receipts_alone(log_in: LogIn) -> None:
    supplier = log_in("supplier1")
    own = supplier.get("/v1/suppliers/1/statement", params={"period": "2026-03"}).json()
    assert own["received_kopecks"] == 5_000
    assert [row["bill"] for row in own["rows"]] == ["1-1"]
    assert supplier.get("/v1/suppliers/2/statement").status_code == 404
    assert log_in("regulator").get("/v1/suppliers/2/statement").status_code == 200
    assert log_in("resident12").get("/v1/suppliers/1/statement").status_code == 404


def test_what_was_granted_is_told_to_welfare_and_the_regulator(log_in: LogIn) -> None:
    for login in ("welfare", "regulator"):
        (batch,) = log_in(login).get("/v1/grant-batches").json()["batches"]
        assert (batch["total_kopecks"], batch["used_kopecks"]) == (10_000, 10_000)
    for login in ("resident12", "supplier1"):
        assert log_in(login).get("/v1/grant-batches").status_code == 403


def test_cases_of_help_are_told_to_welfare_alone_and_in_sums(log_in: LogIn) -> None:
    (case,) = log_in("welfare").get("/v1/welfare-cases").json()["cases"]
    assert (case["case"], case["first"], case["last"]) == ("С-5", "2026-01", "2026-06")
    assert (case["given_kopecks"], case["owed_back_kopecks"]) == (191_100, 1_500)
    assert not {"income_kopecks", "family"} & set(case)
    for login in ("resident12", "supplier1", "regulator"):
        assert log_in(login).get("/v1/welfare-cases").status_code == 403


def test_a_month_begins_at_midnight_of_the_houses(log_in: LogIn) -> None:
    statement = log_in("supplier1").get("/v1/suppliers/1/statement", params={"period": "2026-01"}).json()
    # Krasnoyarsk is seven hours ahead of UTC.
    assert (statement["first"], statement["last"]) == ("2025-12-31T17:00:00Z", "2026-01-31T16:59:59Z")
    assert statement["rows"] == []


def test_logging_out_ends_the_session_for_every_copy_of_it(resident: TestClient) -> None:
    assert resident.delete("/v1/sessions/current").status_code == 204
    assert resident.get("/v1/me").status_code == 401


def test_a_session_runs_out(town: Town, resident: TestClient) -> None:
    late = town.context.sessions._clock() + 13 * 3600
    town.context.sessions._clock = lambda: late
    assert resident.get("/v1/me").status_code == 401


def test_an_altered_session_is_none(anonymous: TestClient, resident: TestClient) -> None:
    token = resident.headers["Authorization"]
    anonymous.headers["Authorization"] = token[:-2] + ("aa" if not token.endswith("aa") else "bb")
    assert anonymous.get("/v1/me").status_code == 401


def test_wrong_password_and_unknown_login_are_told_apart_by_nothing(anonymous: TestClient) -> None:
    wrong = anonymous.post("/v1/sessions", json={"login": "resident12", "password": "no"})
    unknown = anonymous.post("/v1/sessions", json={"login": "nobody", "password": "no"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


def test_logins_are_throttled_and_the_right_password_does_not_help(anonymous: TestClient, town: Town) -> None:
    for _ in range(TRIES_PER_LOGIN):
        assert anonymous.post("/v1/sessions", json={"login": "resident12", "password": "no"}).status_code == 401
    refused = anonymous.post("/v1/sessions", json={"login": "RESIDENT12", "password": PASSWORD})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 900
    assert anonymous.post("/v1/sessions", json={"login": "resident13", "password": PASSWORD}).status_code == 201
    late = town.context.throttle._clock() + 901
    town.context.throttle._clock = lambda: late
    assert anonymous.post("/v1/sessions", json={"login": "resident12", "password": PASSWORD}).status_code == 201


def test_a_visitors_address_is_believed_from_our_own_pages_only(anonymous: TestClient) -> None:
    for tries in range(61):
        forged = {"X-Visitor-Address": f"10.0.0.{tries}"}
        last = anonymous.post("/v1/sessions", json={"login": f"guess{tries}", "password": "no"}, headers=forged)
    assert last.status_code == 429


def test_the_password_and_the_token_are_stored_as_hashes(town: Town) -> None:
    token = town.context.people.issue_token(Role.LEDGER, "ledger")
    engine = town.context.people._engine
    with engine.connect() as connection:
        stored = "".join(
            str(row)
            for table in ("api_persons", "api_tokens")
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}")
        )
    assert "$argon2id$" in stored
    assert PASSWORD not in stored
    assert token not in stored


def _file(town: Town, kind: str, suffix: str, number: int) -> str:
    folder = town.context.files / kind
    folder.mkdir(parents=True, exist_ok=True)
    name = "0x" + hash_of(number).hex()
    (folder / (name + suffix)).write_bytes(b"{}\n")
    return f"/files/{kind}/{name}"


def test_files_go_to_those_entitled(town: Town, anonymous: TestClient) -> None:
    paths = {
        "tariffs": _file(town, "tariffs", ".json", 0x7A),
        "bills": _file(town, "bills", ".jsonl", 0x50),
        "grants": _file(town, "grants", ".jsonl", 0xF1),
        "mine": _file(town, "lines", ".jsonl", 0x61),
        "theirs": _file(town, "lines", ".jsonl", 0x62),
    }
    people = town.context.people
    tokens = {
        "ledger": people.issue_token(Role.LEDGER, "ledger"),
        "regulator": people.issue_token(Role.REGULATOR, "regulator"),
        "welfare": people.issue_token(Role.WELFARE, "welfare"),
        "supplier": people.issue_token(Role.SUPPLIER, "supplier", supplier=1),
        "resident": "",
    }
    entitled = {
        "ledger": set(paths),
        "regulator": set(paths),
        "welfare": {"tariffs", "grants"},
        "supplier": {"tariffs", "mine"},
        "resident": {"tariffs"},
    }
    for role, token in tokens.items():
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        got = {name for name, path in paths.items() if anonymous.get(path, headers=headers).status_code == 200}
        assert got == entitled[role], role


def test_a_revoked_token_opens_nothing(town: Town, anonymous: TestClient) -> None:
    token = town.context.people.issue_token(Role.REGULATOR, "regulator")
    headers = {"Authorization": f"Bearer {token}"}
    assert anonymous.get("/v1/suppliers", headers=headers).status_code == 200
    town.context.people.revoke_token(token)
    assert anonymous.get("/v1/suppliers", headers=headers).status_code == 401


@pytest.mark.parametrize("name", ["..%2f..%2fapi.db", "0x12", "0x" + "7A" * 32, "passwd", "0x" + "7a" * 32 + ".jsonl"])
def test_a_file_name_that_is_no_hash_names_nothing(town: Town, anonymous: TestClient, name: str) -> None:
    _file(town, "tariffs", ".json", 0x7A)
    assert anonymous.get(f"/files/tariffs/{name}").status_code == 404


def test_every_answer_carries_the_security_headers(anonymous: TestClient) -> None:
    for path in ("/v1/status", "/v1/me", "/v1/nothing"):
        headers = anonymous.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_a_large_body_is_refused_whether_its_length_is_told_or_not(anonymous: TestClient) -> None:
    told = anonymous.post("/v1/sessions", content=b"x" * 70_000)
    untold = anonymous.post("/v1/sessions", content=(b"x" * 7_000 for _ in range(10)))
    for refused in (told, untold):
        assert refused.status_code == 413
        assert refused.json()["type"].endswith("too-large")
    assert anonymous.post("/v1/sessions", content=b"x" * 60_000).status_code == 422


def test_another_host_name_is_refused(anonymous: TestClient) -> None:
    assert anonymous.get("/v1/status", headers={"Host": "evil.example"}).status_code == 400
