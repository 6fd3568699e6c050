"""The ledger tests' town as a real one publishes itself: signed transactions, suppliers' files, heads of batches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from eth_account import Account

from contracts.client.rpc import RpcError
from contracts.wire.files import LeafLine, encode_file, parse_file
from contracts.wire.ids import NO_HASH, Hash, KeyId, SourceId
from contracts.wire.leaf import Record, SupplierLine, encode_supplier_line
from contracts.wire.merkle import Tree, leaf_hash
from contracts.wire.typed_data import BatchHeader, anchor_domain, sign_digest
from tests.ledger.town import Draft, PostedRun, Reverted, Town, key_of


class PublishedTown(Town):
    """Every hand signs with its own key, as on a chain where nobody can be impersonated."""

    def send(self, party: str, contract: str, data: bytes) -> str:
        sender = "0x" + self.account(party).hex()
        asked = {
            "type": 2, "chainId": self.reader.deployment.chain_id, "gas": 5_000_000, "value": 0,
            "nonce": int(self.rpc.call("eth_getTransactionCount", sender, "latest"), 16),
            "to": self.reader.deployment.addresses[contract], "data": data,
            "maxFeePerGas": 0, "maxPriorityFeePerGas": 0,
        }  # fmt: skip
        raw = Account.sign_transaction(asked, key_of(party)).raw_transaction
        try:
            name: str = self.rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
        except RpcError as error:
            raise Reverted(f"{contract}: {error}") from error
        receipt = self._receipt(name)
        if receipt["status"] != "0x1":
            raise Reverted(contract)
        return name

    def anchor(
        self, name: str, source: SourceId, records: Sequence[Record], key: KeyId, is_served: bool = True
    ) -> Hash:
        epoch, sequence, previous = self.heads[source]
        root = super().anchor(name, source, records, key, is_served)
        header = BatchHeader(source, epoch, sequence + 1, previous, root, len(records), 0, 0, NO_HASH)
        domain = anchor_domain(self.reader.deployment.chain_id, self.reader.deployment.addresses["ReadingAnchor"])
        signature = sign_digest(key_of(name), domain.digest(header.struct_hash()))
        told = {
            "source": int(source), "epoch": epoch, "sequence": sequence + 1, "previous": "0x" + previous.hex(),
            "root": "0x" + root.hex(), "count": len(records), "period_start": 0, "period_end": 0,
            "document": "0x" + NO_HASH.hex(),
        }  # fmt: skip
        _, lines = parse_file(self.files.get("readings", root) or b"")
        head: dict[str, Any] = {"header": told, "signature": "0x" + signature.hex()}
        self.files.put("readings", root, encode_file(head, lines))
        return root

    def post_run(self, drafts: Sequence[Draft], *args: Any, **kwargs: Any) -> PostedRun:
        own: dict[int, list[bytes]] = {}
        for index, bill in enumerate(sorted((draft.blob for draft in drafts), key=lambda blob: blob.commit)):
            for number, line in enumerate(bill.lines):
                blob = encode_supplier_line(SupplierLine(index, number, bill.kind, line.amount_kopecks))
                own.setdefault(line.supplier, []).append(blob)
        for supplier, blobs in own.items():
            lines = [LeafLine(leaf_hash(blob), blob) for blob in blobs]
            root = Tree.of([line.leaf for line in lines]).root
            self.files.put("lines", root, encode_file({"kind": "lines", "supplier": int(supplier)}, lines))
        return super().post_run(drafts, *args, **kwargs)


class Recorded:
    """A node's answers, kept: the same calls again are answered from memory, altered where a test says so."""

    def __init__(self, answers: dict[str, Any], url: str = "http://recorded") -> None:
        self.answers = answers
        self.url = url

    def call(self, method: str, *params: object) -> Any:
        return json.loads(json.dumps(self.answers[_name(method, params)]))

    def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        return [self.call(method, *params) for method, params in calls]


class Recording:
    """A node whose answers are written down."""

    def __init__(self, rpc: Any) -> None:
        self._rpc = rpc
        self.url = rpc.url
        self.answers: dict[str, Any] = {}

    def call(self, method: str, *params: object) -> Any:
        found = self.answers[_name(method, params)] = self._rpc.call(method, *params)
        return found

    def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        found = self._rpc.batch(calls)
        for (method, params), answer in zip(calls, found, strict=True):
            self.answers[_name(method, params)] = answer
        return list(found)


def _name(method: str, params: Sequence[object]) -> str:
    return json.dumps([method, list(params)])
