"""A wallet's order: the EIP-712 text to sign, and what comes back signed."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from api.models import Bill, Order, OrderWanted
from api.problems import NotReady, OrderRefused, WrongSum
from contracts.wire.ids import Address, BillKey, Hash, address_text, parse_address
from contracts.wire.typed_data import Purpose, SplitAuthorization, rouble_domain

VALID_S = 24 * 3600

TYPES = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
    ],
    "SplitAuthorization": [
        {"name": "payer", "type": "address"},
        {"name": "spender", "type": "address"},
        {"name": "maximum", "type": "uint256"},
        {"name": "purpose", "type": "Purpose"},
        {"name": "nonce", "type": "uint256"},
        {"name": "validBefore", "type": "uint256"},
    ],
    "Purpose": [
        {"name": "action", "type": "string"},
        {"name": "run", "type": "uint32"},
        {"name": "index", "type": "uint32"},
        {"name": "line", "type": "uint8"},
        {"name": "recipient", "type": "address"},
    ],
}


@dataclass(frozen=True, slots=True)
class Network:
    """Where payments are signed for: the chain and its contracts."""

    chain_id: int
    rouble: Address
    settlement: Address
    charge_book: Address

    @classmethod
    def load(cls, deployment: Path) -> Network:
        """What a deployment file says. Raises NotReady where there is none yet."""
        try:
            value = json.loads(deployment.read_text())
        except FileNotFoundError as error:
            raise NotReady(f"there is no {deployment.name} yet; deploy the contracts first") from error
        at = {name: parse_address(row["address"]) for name, row in value["contracts"].items()}
        return cls(int(value["chain_id"]), at["Rouble"], at["Settlement"], at["ChargeBook"])


def draw_order(network: Network, bill: Bill, payer: Address, maximum_kopecks: int | None, now: int) -> Order:
    """An order to sign, with a nonce of its own. Raises WrongSum beyond what is open."""
    maximum = bill.open_kopecks if maximum_kopecks is None else maximum_kopecks
    if maximum > bill.open_kopecks:
        raise WrongSum(f"{maximum} kopecks on bill {bill.key}, of which {bill.open_kopecks} are open")
    authorization = SplitAuthorization(
        payer, network.settlement, maximum, _purpose(bill.key), secrets.randbits(128), now + VALID_S
    )
    return Order(
        bill=bill.key,
        payer=address_text(payer),
        maximum_kopecks=maximum,
        nonce=str(authorization.nonce),
        valid_before=authorization.valid_before,
        digest="0x" + _digest(network, authorization).hex(),
        typed_data=_typed_data(network, authorization),
    )


def authorization_of(network: Network, wanted: OrderWanted) -> SplitAuthorization:
    """What the wallet is said to have signed."""
    return SplitAuthorization(
        parse_address(wanted.payer),
        network.settlement,
        wanted.maximum_kopecks,
        _purpose(wanted.bill),
        int(wanted.nonce),
        wanted.valid_before,
    )


def check_order(wanted: OrderWanted, now: int) -> None:
    """Raises OrderRefused for an order that can no longer be carried out. Whose signature it is, the inbox checks."""
    if int(wanted.nonce) >= 2**256:
        raise OrderRefused(f"the nonce of the order for bill {wanted.bill} is above 256 bits")
    if wanted.valid_before <= now:
        raise OrderRefused(f"the order for bill {wanted.bill} expired at {wanted.valid_before}, it is {now} now")


def _purpose(bill: str) -> Purpose:
    key = BillKey.parse(bill)
    return Purpose("pay", int(key.run), key.index)


def _digest(network: Network, authorization: SplitAuthorization) -> Hash:
    return rouble_domain(network.chain_id, network.rouble).digest(authorization.struct_hash())


def _typed_data(network: Network, authorization: SplitAuthorization) -> dict[str, object]:
    purpose = authorization.purpose
    return {
        "types": TYPES,
        "primaryType": "SplitAuthorization",
        "domain": {
            "name": "Kopeck Rouble",
            "version": "1",
            "chainId": network.chain_id,
            "verifyingContract": address_text(network.rouble),
        },
        "message": {
            "payer": address_text(authorization.payer),
            "spender": address_text(authorization.spender),
            "maximum": str(authorization.maximum_kopecks),
            "purpose": {
                "action": purpose.action,
                "run": purpose.run,
                "index": purpose.index,
                "line": purpose.line,
                "recipient": address_text(purpose.recipient),
            },
            "nonce": str(authorization.nonce),
            "validBefore": str(authorization.valid_before),
        },
    }
