"""The network's first block and each node's settings, from the validators' addresses: nothing is fixed in a file.

QBFT with blocks every second, gas for nothing, the rules of Berlin: GoQuorum knows none later, and the contracts need
none. Extra data is what EIP-650 and QBFT's specification lay down: vanity, validators, vote, round, seals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts.wire.ids import Address
from contracts.wire.rlp import encode_rlp

CHAIN_ID = 20_354
BLOCK_PERIOD_S = 1
GAS_LIMIT = 120_000_000
"""The same as the local chain's, so that what fits into a block there fits here."""
_REQUEST_TIMEOUT_S = 2  # a round whose proposer is dead ends after this, doubled each time
_TRANSACTION_KB = 128  # a hundred payments with their proofs are more than the default of 64
_MIX_HASH = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"


def genesis(validators: Sequence[Address], starts_at: int) -> dict[str, Any]:
    """The genesis document of a network with these validators; ``starts_at`` is seconds UTC."""
    forks = ("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul")
    return {
        "config": {
            "chainId": CHAIN_ID,
            **{f"{fork}Block": 0 for fork in (*forks, "muirGlacier", "berlin")},
            "isQuorum": True,
            "txnSizeLimit": _TRANSACTION_KB,
            "qbft": {
                "epochlength": 30_000,
                "blockperiodseconds": BLOCK_PERIOD_S,
                "emptyblockperiodseconds": BLOCK_PERIOD_S,
                "requesttimeoutseconds": _REQUEST_TIMEOUT_S,
                "policy": 0,
                "ceil2Nby3Block": 0,
                "validatorcontractaddress": "0x" + "00" * 20,
            },
        },
        "nonce": "0x0",
        "timestamp": hex(starts_at),
        "extraData": "0x" + extra_data(validators).hex(),
        "gasLimit": hex(GAS_LIMIT),
        "difficulty": "0x1",
        "mixHash": _MIX_HASH,
        "coinbase": "0x" + "00" * 20,
        "alloc": {},
        "number": "0x0",
        "gasUsed": "0x0",
        "parentHash": "0x" + "00" * 32,
    }


def extra_data(validators: Sequence[Address]) -> bytes:
    """Who may propose and vote from the first block on. Sorted, so that every node works out the same bytes."""
    return encode_rlp([bytes(32), [*sorted(validators)], [], b"", []])
