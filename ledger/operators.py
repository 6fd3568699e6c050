"""Who may declare that a leaf was erased: the chain's operators, then and now."""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import Connection, select

from contracts.wire.erasure import OPERATOR_ROLE, signer_of
from contracts.wire.files import LeafLine
from contracts.wire.ids import Address
from contracts.wire.typed_data import SignatureError
from ledger.models import acts


def operators(connection: Connection) -> frozenset[Address]:
    """Accounts that the AccessManager ever gave the operator's role.

    Read from the indexed grants and not asked of the chain's present state, so that a rebuild after an operator
    has left still counts the erasures it signed.
    """
    a = acts.c
    query = select(a.arguments).where(a.contract == "AccessManager", a.name == "RoleGranted")
    granted = [json.loads(text) for text in connection.execute(query).scalars()]
    return frozenset(
        Address(bytes.fromhex(str(grant["account"]).removeprefix("0x")))
        for grant in granted
        if grant["role_id"] == OPERATOR_ROLE
    )


def is_erased(line: LeafLine, erasers: Collection[Address]) -> bool:
    """Whether one of ``erasers`` signed that this leaf was erased."""
    if line.erased is None:
        return False
    try:
        return signer_of(line.leaf, line.erased) in erasers
    except SignatureError:
        return False
