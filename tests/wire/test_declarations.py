"""The tables of events and errors against what the compiler says the contracts have."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from contracts.client import abi
from contracts.client.deployments import CONTRACTS
from contracts.wire import errors
from contracts.wire.declarations import snake_case
from contracts.wire.errors import error_table
from contracts.wire.events import event_layouts
from contracts.wire.keccak import keccak

OURS = [name for name in CONTRACTS if name not in ("AccessManager", "Timelock")]
# Not state that a ledger reads: OpenZeppelin's own announcements, and an array of owners nobody bills by.
UNREAD = {"AuthorityUpdated", "EIP712DomainChanged", "OwnersSet"}
# Raised inside OpenZeppelin's helpers on paths that our contracts don't take.
UNRAISED = {
    "InvalidShortString",
    "StringTooLong",
    "AccessManagedInvalidAuthority",
    "InvalidAccountNonce",
    "AddressEmptyCode",
    "Create2EmptyBytecode",
    "FailedDeployment",
}


def entries(kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, row) for name in OURS for row in abi.artifact(name)["abi"] if row["type"] == kind]


def signature(row: dict[str, Any]) -> str:
    return f"{row['name']}({','.join(abi.type_of(part) for part in row['inputs'])})"


@pytest.mark.parametrize(("contract", "row"), entries("event"), ids=lambda v: v if isinstance(v, str) else v["name"])
def test_each_event_of_the_contracts_is_in_the_table(contract: str, row: dict[str, Any]) -> None:
    if row["name"] in UNREAD:
        return
    topic = "0x" + keccak(signature(row).encode()).hex()
    event, declared_by, declaration = event_layouts()[topic]
    assert event.__name__ == row["name"]
    assert declared_by == contract
    assert [f.name for f in fields(event)][1:] == [snake_case(part["name"]) for part in row["inputs"]]
    assert [p.indexed for p in declaration.parameters] == [part["indexed"] for part in row["inputs"]]


def test_the_table_holds_no_event_that_no_contract_has() -> None:
    known = {
        "0x" + keccak(signature(row).encode()).hex()
        for name in CONTRACTS
        for row in abi.artifact(name)["abi"]
        if row["type"] == "event"
    }
    assert {event.__name__ for topic, (event, _, _) in event_layouts().items() if topic not in known} == set()


@pytest.mark.parametrize(("contract", "row"), entries("error"), ids=lambda v: v if isinstance(v, str) else v["name"])
def test_each_error_of_the_contracts_is_in_the_table(contract: str, row: dict[str, Any]) -> None:
    if row["name"] in UNRAISED:
        return
    error = error_table()[keccak(signature(row).encode())[:4]]
    assert error.declaration.name == row["name"]
    assert [p.name for p in error.declaration.parameters] == [snake_case(part["name"]) for part in row["inputs"]]
    assert error.__name__ == row["name"].replace("_", ""), contract
    assert getattr(errors, error.__name__) is error


def test_every_problem_has_a_remedy_a_status_and_a_slug_of_its_own() -> None:
    classes = list(error_table().values())
    assert all(error.remedy.endswith(".") and 400 <= error.status <= 503 for error in classes)
    assert len({error.slug for error in classes}) == len(classes)
