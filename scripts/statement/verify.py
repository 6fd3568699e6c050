"""A statement held against a node of the supplier's own: nothing false in it, and nothing of theirs left out.

Four things are compared, each by itself: every event that names the supplier with the rows; the lines with the root,
count and total that the run was proposed with; the receipts with the token's transfers to and from the payout wallets;
and those transfers with the wallets' balances. With ``is_deep`` the node's list of events is not believed either: the
headers are followed hash by hash from the statement's block down, and every block whose bloom may hold an event of ours
has its receipts hashed up to the header, so that a node can't keep one event back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from contracts.client.reader import Reader
from contracts.client.rpc import NodeBehind, RpcError
from contracts.wire.capsule_events import events_of_receipt
from contracts.wire.events import Event, LogError
from contracts.wire.ids import Hash, RunId, address_text
from contracts.wire.keccak import keccak
from contracts.wire.leaf import BillKind, LeafError, SupplierLine, decode_supplier_line
from contracts.wire.merkle import Tree, leaf_hash
from contracts.wire.rlp import RlpError, rlp_list, rlp_string
from contracts.wire.trie import TrieError, trie_value
from ledger.queries.supplier_views import (
    ChargedRun,
    ReceiptSource,
    ReplacedLine,
    SupplierReceipt,
    SupplierStatement,
    Turnover,
    turnover_of,
)
from scripts.statement.chain import NodeBooks
from scripts.statement.deep import events_in_proven_blocks
from scripts.statement.file import ProvenTransaction, StatementFile

FOREVER = (1 << 40) - 1
"""``last`` of a statement that goes as far as its height."""
_RECEIPTS_ROOT = 5
_NUMBER = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """One record that is not as it should be, with both values."""

    what: str
    record: str
    in_file: str
    at_node: str


@dataclass(frozen=True)
class Checked:
    """What the check came to. ``is_whole`` says that the span had ended at the statement's height."""

    statement: SupplierStatement
    findings: tuple[Finding, ...]
    receipts: int
    received_kopecks: int
    transfers: int
    transferred_kopecks: int
    """In less out of the payout wallets, from the first block to the statement's."""
    other_transfers: int
    """Transfers to or from a payout wallet that no receipt claims: gifts, redemptions, the supplier's own payments."""
    proven_receipts: int
    deep_blocks: int | None
    is_balance_checked: bool
    is_whole: bool

    @property
    def is_complete(self) -> bool:
        """Nothing wrong, nothing left out, and the span is over."""
        return not self.findings and self.is_whole and self.is_balance_checked


class OtherHistory(Exception):
    """The node has another block at the statement's height."""

    def __init__(self, height: int, in_file: Hash, at_node: Hash) -> None:
        super().__init__(
            f"the statement is of block 0x{in_file.hex()} at height {height}, the node has 0x{at_node.hex()}: one of "
            "the two is of another history; keep the file, ask another node, and show both to the regulator"
        )


class OtherChain(Exception):
    """The statement is of another chain or other contracts than the reader's deployment."""

    def __init__(self, file: StatementFile, reader: Reader) -> None:
        own = reader.deployment
        super().__init__(
            f"the statement is of chain {file.chain_id}, Settlement {address_text(file.settlement)}; the deployment is "
            f"of chain {own.chain_id}, {address_text(own.addresses['Settlement'])}: give the right deployment file"
        )


def verify_statement(file: StatementFile, reader: Reader, *, is_deep: bool = False) -> Checked:
    """Checks the file. Raises OtherChain, OtherHistory, NodeBehind, WrongChain, NotDeployed, NodeError, LogError."""
    deployment, s = reader.deployment, file.statement
    if (file.chain_id, file.settlement) != (deployment.chain_id, deployment.addresses["Settlement"]):
        raise OtherChain(file, reader)
    deployment.check(reader.rpc)
    tip = reader.block(s.height)
    if tip is None:
        raise NodeBehind(reader.rpc.url, reader.head().number, s.height)
    if tip.hash != s.block_hash:
        raise OtherHistory(s.height, s.block_hash, tip.hash)
    events = reader.events(deployment.first_block, s.height)
    books = NodeBooks.read(reader.rpc, events, s.supplier)
    check = _Check(file, books)
    deep_blocks = None
    if is_deep:
        deep_blocks = check.withheld(events, events_in_proven_blocks(reader, s.block_hash, s.height))
    check.payouts()
    check.receipts()
    check.charges()
    check.turnovers()
    check.token()
    is_balance_checked = check.balances(reader)
    proven = check.proofs({bytes(a): name for name, a in deployment.addresses.items()})
    return Checked(
        s,
        tuple(check.findings),
        len(s.receipts),
        s.turnover.money,
        len(books.transfers),
        sum(sums[True] - sums[False] for sums in books.moved().values()),
        check.others,
        proven,
        deep_blocks,
        is_balance_checked,
        s.last == FOREVER or tip.timestamp > s.last,
    )


@dataclass
class _Check:
    """One statement beside what the node says."""

    file: StatementFile
    books: NodeBooks
    findings: list[Finding] = field(default_factory=list)
    others: int = 0

    @property
    def statement(self) -> SupplierStatement:
        return self.file.statement

    def tell(self, what: str, record: str, in_file: object, at_node: object) -> None:
        """Notes a finding."""
        self.findings.append(Finding(what, record, str(in_file), str(at_node)))

    def withheld(self, listed: Sequence[Event], proven: Iterator[tuple[int, list[Event]]]) -> int:
        """Events that the node listed, block by block, against those in the receipts that its headers prove."""
        by_block: dict[int, list[Event]] = {}
        for event in listed:
            by_block.setdefault(event.log.block_number, []).append(event)
        blocks = 0
        for number, found in proven:
            blocks += 1
            told = by_block.pop(number, [])
            if [_content(event) for event in told] != [_content(event) for event in found]:
                names = [[type(event).__name__ for event in some] for some in (told, found)]
                self.tell("event withheld by the node", f"block {number}", f"listed {names[0]}", f"proved {names[1]}")
        for number in by_block:
            self.tell("event made up by the node", f"block {number}", "listed", "in no receipt of the block")
        return blocks

    def payouts(self) -> None:
        """The wallets."""
        if list(self.statement.payouts) != self.books.payouts:
            self.tell(
                "payout wallets", f"supplier {self.statement.supplier}", self.statement.payouts, self.books.payouts
            )

    def receipts(self) -> None:
        """Every receipt of the span, one by one."""
        s = self.statement
        node = {_place(r): r for r in self.books.receipts if s.first <= r.timestamp <= s.last}
        given = {_place(r): r for r in s.receipts}
        if len(given) != len(s.receipts):
            self.tell("receipt twice", f"supplier {s.supplier}", len(s.receipts), len(given))
        for place in sorted(node.keys() | given.keys()):
            mine, theirs = given.get(place), node.get(place)
            name = f"block {place[0]}, log {place[1]}" + ("" if place[2] < 0 else f", line {place[2]}")
            if mine is None:
                self.tell("receipt left out", name, "nothing", theirs)
            elif theirs is None:
                self.tell("receipt that is not on the chain", name, mine, "nothing")
            elif mine != theirs:
                for what, mine_value, node_value in _differences(mine, theirs):
                    self.tell(f"receipt's {what}", name, mine_value, node_value)

    def charges(self) -> None:
        """Runs with their lines, and bills replaced."""
        s = self.statement
        node = {run.run: run for run in self.books.runs if s.first <= run.timestamp <= s.last}
        given = {run.run: run for run in s.runs}
        if len(given) != len(s.runs):
            self.tell("run twice", f"supplier {s.supplier}", len(s.runs), len(given))
        for run in sorted(node.keys() | given.keys()):
            if given.get(run) != node.get(run):
                self.tell("charges of a run", f"run {run}", given.get(run, "nothing"), node.get(run, "nothing"))
        for run in node:
            self._lines(run)
        found = [line for line in self._replaced() if s.first <= line.timestamp <= s.last]
        if found != list(s.replaced):
            self.tell("bills replaced", f"supplier {s.supplier}", s.replaced, found)

    def _replaced(self) -> list[ReplacedLine]:
        return self.books.replaced(
            lambda run: [(line.index, line.line, line.amount_kopecks) for line in self._lines(run) or ()],
            self.statement.last,
        )

    def _lines(self, run: RunId) -> list[SupplierLine] | None:
        """A run's lines where they make its root, count and total; told once where they do not."""
        own = self.books.proposed[run][1]
        blobs = self.file.lines.get(run)
        record = f"lines of run {run}"
        if blobs is None:
            self._tell_once("lines withheld", record, "nothing", f"{own.lines} lines of root 0x{own.root.hex()}")
            return None
        try:
            lines = [decode_supplier_line(blob) for blob in blobs]
        except LeafError as error:
            self._tell_once("lines that can't be read", record, str(error), "a kind of 0 to 2")
            return None
        root = Tree.of([leaf_hash(blob) for blob in blobs]).root if blobs else Hash(bytes(32))
        made = len(lines), _total(lines), "0x" + root.hex()
        stated = own.lines, own.total_kopecks, "0x" + own.root.hex()
        if made != stated:
            self._tell_once("lines do not make what was proposed", record, made, stated)
            return None
        return lines

    def _tell_once(self, what: str, record: str, in_file: object, at_node: object) -> None:
        finding = Finding(what, record, str(in_file), str(at_node))
        if finding not in self.findings:
            self.findings.append(finding)

    def turnovers(self) -> None:
        """Opening and turnover, made again from the node's rows."""
        s = self.statement
        spans = (("opening", 0, s.first - 1, s.opening), ("turnover", s.first, s.last, s.turnover))
        replaced = self._replaced()
        for name, first, last, given in spans:
            made = _turnover(
                [r for r in self.books.runs if first <= r.timestamp <= last],
                [r for r in replaced if first <= r.timestamp <= last],
                [r for r in self.books.receipts if first <= r.timestamp <= last],
            )
            for what, mine, theirs in _differences(given, made):
                self.tell(f"{name}: {what}", f"supplier {s.supplier}", mine, theirs)

    def token(self) -> None:
        """Receipts against transfers, each transaction and direction by itself; and as sums."""
        claimed, moved = self.books.claimed(), self.books.moved()
        for name in claimed.keys() | moved.keys():
            for is_credit in (True, False):
                receipts, transfers = (side.get(name, Counter())[is_credit] for side in (claimed, moved))
                if transfers < receipts:
                    way = "to" if is_credit else "from"
                    self.tell(f"receipts the token did not move {way} the wallet", f"transaction 0x{name.hex()}",
                              receipts, transfers)  # fmt: skip
                elif transfers > receipts:
                    self.others += 1

    def balances(self, reader: Reader) -> bool:
        """Transfers against balances at the statement's block, or where the node has that state no more at its latest;
        False where it tells neither."""
        wallets, transfers = sorted(self.books.wallets), self.books.transfers
        calls = [("Rouble", "balanceOf", [wallet]) for wallet in wallets]
        height = self.statement.height
        try:
            balances = reader.views(calls, height)
        except RpcError:
            height, since = reader.head().number, height + 1
            transfers = [*transfers, *self.books.transfers_in(reader.events(since, height))]
            try:
                balances = reader.views(calls, height)
            except RpcError:
                return False
        for wallet, balance in zip(wallets, balances, strict=True):
            moved = sum(t.value for t in transfers if t.to == wallet) - sum(
                t.value for t in transfers if t.from_ == wallet
            )
            if moved != balance:
                self.tell("transfers do not make the balance", f"wallet {address_text(wallet)}, block {height}",
                          moved, balance)  # fmt: skip
        return True

    def proofs(self, contracts: dict[bytes, str]) -> int:
        """The file's own proofs; how many receipts they show."""
        proven = 0
        for receipt in self.statement.receipts:
            proof = self.file.proofs.get(receipt.tx_hash)
            if proof is not None:
                why = _unproved(receipt, proof, contracts, self.statement)
                if why is None:
                    proven += 1
                else:
                    self.tell(
                        "proof of a receipt", f"block {receipt.block_number}, log {receipt.log_index}", why, receipt
                    )
        return proven


@dataclass(frozen=True, slots=True)
class _Header:
    """Where a proved receipt stands."""

    number: int
    timestamp: int
    hash: Hash


def _unproved(
    receipt: SupplierReceipt, proof: ProvenTransaction, contracts: dict[bytes, str], statement: SupplierStatement
) -> str | None:
    """Why a proof does not show its receipt; None where it does."""
    try:
        header = rlp_list(proof.header)
        place = _Header(int.from_bytes(rlp_string(header[_NUMBER]), "big"), receipt.timestamp, receipt.block_hash)
        if Hash(keccak(proof.header)) != receipt.block_hash or place.number != receipt.block_number:
            return "the header is of another block"
        data = trie_value(Hash(rlp_string(header[_RECEIPTS_ROOT])), proof.index, proof.proof)
        for event in events_of_receipt(data, contracts, place):
            if _states(event, receipt, statement):
                return None
    except (RlpError, TrieError, LogError, IndexError) as error:
        return str(error)
    return "the transaction states no such receipt"


def _states(event: Event, receipt: SupplierReceipt, statement: SupplierStatement) -> bool:
    """Whether an event names the bill, line, supplier and sum of a receipt."""
    name = type(event).__name__
    value: Any = event
    if name == "BillPaid":
        legs = {leg.line: (leg.supplier, leg.amount_kopecks) for leg in value.legs}
        own = statement.supplier, receipt.amount_kopecks
        return bool(value.bill == receipt.bill and legs.get(receipt.line or 0) == own)
    kinds = {
        "GrantApplied": ReceiptSource.WELFARE,
        "Prepaid": ReceiptSource.PREPAYMENT,
        "PrepaymentNetted": ReceiptSource.NETTED,
        "Refunded": ReceiptSource.REFUND,
    }
    if kinds.get(name) is not receipt.source or value.supplier != statement.supplier:
        return False
    amount = -(value.to_payer + value.to_welfare) if name == "Refunded" else value.amount
    place = (None, None) if name == "Prepaid" else (value.bill, value.line)
    return bool(amount == receipt.amount_kopecks and place == (receipt.bill, receipt.line))


def _content(event: Event) -> tuple[object, ...]:
    """What an event says, without where it stands in the node's answer."""
    return (type(event).__name__, *(getattr(event, f.name) for f in fields(event) if f.name != "log"))


def _place(receipt: SupplierReceipt) -> tuple[int, int, int]:
    return receipt.block_number, receipt.log_index, -1 if receipt.line is None else receipt.line


def _differences(mine: Any, theirs: Any) -> Iterator[tuple[str, object, object]]:
    for one in fields(mine):
        pair = getattr(mine, one.name), getattr(theirs, one.name)
        if pair[0] != pair[1]:
            yield one.name, *pair


def _total(lines: Iterable[SupplierLine]) -> int:
    return sum(-x.amount_kopecks if x.kind is BillKind.CREDIT_NOTE else x.amount_kopecks for x in lines)


def _turnover(
    runs: Iterable[ChargedRun], replaced: Iterable[ReplacedLine], receipts: Iterable[SupplierReceipt]
) -> Turnover:
    sums: dict[ReceiptSource, int] = {}
    for receipt in receipts:
        sums[receipt.source] = sums.get(receipt.source, 0) + receipt.amount_kopecks
    found: Mapping[ReceiptSource, int] = sums
    return turnover_of(runs, replaced, found)
