"""The statement as one JSON file: sums, every receipt with its transaction, block and proof, every charge.

A receipt is proved by its transaction's place in the block's trie of receipts, and the block by its header's hash
(docs/protocol.md §13). Lines of runs go in as their blobs, one after the other, so that their root can be made again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from contracts.client.deployments import Deployment
from contracts.client.rpc import Rpc
from contracts.wire.ids import Address, BillKey, Hash, Period, RunId, SupplierId, address_text, parse_address
from ledger.queries import Ledger
from ledger.queries.supplier_views import (
    ChargedRun,
    Payout,
    ReceiptSource,
    ReplacedLine,
    SupplierReceipt,
    SupplierStatement,
    Turnover,
)
from scripts.capsule.blocks import FullBlock, UnprovableBlock

FORMAT = 1


class BadStatementFile(ValueError):
    """The file is not a statement as this version writes it."""

    def __init__(self, why: str) -> None:
        super().__init__(f"not a statement that can be checked: {why}; ask for the file anew")


@dataclass(frozen=True, slots=True)
class ProvenTransaction:
    """A transaction's receipt in its block: what proves it from the header's receiptsRoot."""

    header: bytes
    index: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True)
class StatementFile:
    """A statement, the chain it is of, and what proves it. Without proofs a node still tells."""

    chain_id: int
    settlement: Address
    statement: SupplierStatement
    lines: Mapping[RunId, tuple[bytes, ...]]
    """Blobs of the supplier's own lines, of each run in the statement and of each that lost bills up to its end."""
    proofs: Mapping[Hash, ProvenTransaction]

    def encode(self) -> bytes:
        """The bytes of the file."""
        s = self.statement
        value = {
            "kopeck_statement": FORMAT,
            "chain": self.chain_id,
            "settlement": address_text(self.settlement),
            "supplier": int(s.supplier),
            "first": s.first,
            "last": s.last,
            "height": s.height,
            "block": "0x" + s.block_hash.hex(),
            "payouts": [[address_text(p.wallet), p.block_number, p.log_index] for p in s.payouts],
            "opening": asdict(s.opening),
            "turnover": asdict(s.turnover),
            "balances": _balances(s),
            "runs": [_run_value(run) for run in s.runs],
            "replaced": [_replaced_value(line) for line in s.replaced],
            "receipts": [_receipt_value(receipt) for receipt in s.receipts],
            "lines": {str(run): base64.b64encode(b"".join(blobs)).decode() for run, blobs in self.lines.items()},
            "proofs": {"0x" + name.hex(): _proof_value(proof) for name, proof in self.proofs.items()},
        }
        return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> StatementFile:
        """The file in bytes. Raises BadStatementFile."""
        try:
            value = json.loads(data)
            if value["kopeck_statement"] != FORMAT:
                raise BadStatementFile(f"its format is {value['kopeck_statement']!r}, this version reads {FORMAT}")
            statement = _statement(value)
            if value["balances"] != _balances(statement):
                raise BadStatementFile("its balances do not follow from its sums")
            return cls(
                _whole(value["chain"]),
                parse_address(value["settlement"]),
                statement,
                {RunId(int(run)): _blobs(text) for run, text in value["lines"].items()},
                {_hash(name): _proof(proof) for name, proof in value["proofs"].items()},
            )
        except BadStatementFile:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadStatementFile(f"{type(error).__name__}: {error}") from error


def make_file(
    ledger: Ledger, deployment: Deployment, rpc: Rpc | None, supplier: SupplierId, span: tuple[int, int]
) -> StatementFile:
    """The statement of a span (first and last second) with its lines, and with proofs where a node is given. Raises
    NothingFinal, RunFileMissing, UnprovableBlock, NodeError."""
    statement = ledger.supplier_statement(supplier, *span)
    ever = ledger.supplier_statement(supplier, 0, span[1]).replaced  # the opening needs them too
    runs = {run.run for run in statement.runs} | {line.bill.run for line in ever}
    lines = {run: tuple(ledger.supplier_lines(run, supplier)) for run in sorted(runs)}
    proofs = {} if rpc is None else _proofs(rpc, statement)
    return StatementFile(deployment.chain_id, deployment.addresses["Settlement"], statement, lines, proofs)


def _proofs(rpc: Rpc, statement: SupplierStatement) -> dict[Hash, ProvenTransaction]:
    """What proves each transaction of a receipt."""
    wanted: dict[int, dict[Hash, Hash]] = {}
    for receipt in statement.receipts:
        wanted.setdefault(receipt.block_number, {})[receipt.tx_hash] = receipt.block_hash
    found: dict[Hash, ProvenTransaction] = {}
    for number, names in wanted.items():
        block = FullBlock.fetch(rpc, number)
        raw = rpc.call("eth_getBlockByNumber", hex(number), False)
        places = {Hash(bytes.fromhex(name[2:])): index for index, name in enumerate(raw["transactions"])}
        for name, block_hash in names.items():
            if block.hash != block_hash or name not in places:
                raise UnprovableBlock(number, f"block is not the one in which the ledger has 0x{name.hex()}")
            proof = tuple(block.trie.proof(places[name]))
            found[name] = ProvenTransaction(block.header, places[name], proof)
    return found


# --- values ---


def _balances(statement: SupplierStatement) -> dict[str, int]:
    """What the sums come to, for whoever reads the file."""
    return {
        "opening_debt_kopecks": statement.opening_debt_kopecks,
        "closing_debt_kopecks": statement.closing_debt_kopecks,
        "opening_advances_kopecks": statement.opening_advances_kopecks,
        "closing_advances_kopecks": statement.closing_advances_kopecks,
    }


def _run_value(run: ChargedRun) -> dict[str, object]:
    return {
        "run": int(run.run),
        "period": str(run.period),
        "at": run.timestamp,
        "block": run.block_number,
        "count": run.count,
        "total_kopecks": run.total_kopecks,
        "root": "0x" + run.root.hex(),
    }


def _replaced_value(line: ReplacedLine) -> dict[str, object]:
    return {
        "bill": str(line.bill),
        "line": line.line,
        "by_run": int(line.by_run),
        "at": line.timestamp,
        "block": line.block_number,
        "log": line.log_index,
        "amount_kopecks": line.amount_kopecks,
    }


def _receipt_value(receipt: SupplierReceipt) -> dict[str, object]:
    return {
        "source": receipt.source.value,
        "at": receipt.timestamp,
        "block": receipt.block_number,
        "block_hash": "0x" + receipt.block_hash.hex(),
        "log": receipt.log_index,
        "transaction": "0x" + receipt.tx_hash.hex(),
        "bill": None if receipt.bill is None else str(receipt.bill),
        "line": receipt.line,
        "counterparty": address_text(receipt.counterparty),
        "amount_kopecks": receipt.amount_kopecks,
    }


def _proof_value(proof: ProvenTransaction) -> dict[str, object]:
    return {
        "header": "0x" + proof.header.hex(),
        "index": proof.index,
        "proof": ["0x" + node.hex() for node in proof.proof],
    }


def _statement(value: Mapping[str, Any]) -> SupplierStatement:
    return SupplierStatement(
        SupplierId(_whole(value["supplier"])),
        _whole(value["first"]),
        _whole(value["last"]),
        _whole(value["height"]),
        _hash(value["block"]),
        tuple(Payout(parse_address(wallet), _whole(block), _whole(log)) for wallet, block, log in value["payouts"]),
        _turnover(value["opening"]),
        _turnover(value["turnover"]),
        tuple(_run(row) for row in value["runs"]),
        tuple(_replaced(row) for row in value["replaced"]),
        tuple(_receipt(row) for row in value["receipts"]),
    )


def _turnover(value: Mapping[str, Any]) -> Turnover:
    return Turnover(**{name: _whole(kopecks) for name, kopecks in value.items()})


def _run(value: Mapping[str, Any]) -> ChargedRun:
    return ChargedRun(
        RunId(_whole(value["run"])),
        Period.parse(value["period"]),
        _whole(value["at"]),
        _whole(value["block"]),
        _whole(value["count"]),
        _whole(value["total_kopecks"]),
        _hash(value["root"]),
    )


def _replaced(value: Mapping[str, Any]) -> ReplacedLine:
    return ReplacedLine(
        BillKey.parse(value["bill"]),
        _whole(value["line"]),
        RunId(_whole(value["by_run"])),
        _whole(value["at"]),
        _whole(value["block"]),
        _whole(value["log"]),
        _whole(value["amount_kopecks"]),
    )


def _receipt(value: Mapping[str, Any]) -> SupplierReceipt:
    return SupplierReceipt(
        ReceiptSource(value["source"]),
        _whole(value["at"]),
        _whole(value["block"]),
        _hash(value["block_hash"]),
        _whole(value["log"]),
        _hash(value["transaction"]),
        None if value["bill"] is None else BillKey.parse(value["bill"]),
        None if value["line"] is None else _whole(value["line"]),
        parse_address(value["counterparty"]),
        _whole(value["amount_kopecks"]),
    )


def _proof(value: Mapping[str, Any]) -> ProvenTransaction:
    nodes = tuple(bytes.fromhex(node[2:]) for node in value["proof"])
    index = _whole(value["index"])
    if index < 0:
        raise BadStatementFile(f"a transaction's place is {index}")
    return ProvenTransaction(bytes.fromhex(value["header"][2:]), index, nodes)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadStatementFile(f"{value!r} stands where a whole number belongs")
    return value


def _hash(text: str) -> Hash:
    if len(text) != 66 or not text.startswith("0x"):
        raise BadStatementFile(f"{text!r} stands where a hash belongs")
    return Hash(bytes.fromhex(text[2:]))


def _blobs(text: str) -> tuple[bytes, ...]:
    joined = base64.b64decode(text, validate=True)
    if len(joined) % 12:
        raise BadStatementFile("a supplier's lines are 12 bytes each")
    return tuple(joined[i : i + 12] for i in range(0, len(joined), 12))
