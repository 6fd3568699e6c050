"""A statement against a node: an honest one passes, any change is found and named, and a lying node is found out."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from contracts.client.deployments import Deployment
from contracts.client.reader import Reader
from contracts.client.rpc import NodeBehind, Rpc
from contracts.wire.events import event_layouts
from contracts.wire.ids import SupplierId
from contracts.wire.keccak import keccak
from ledger.queries import Ledger
from scripts.cli.main import cli
from scripts.statement.deep import bloom_of
from scripts.statement.file import BadStatementFile, StatementFile, make_file
from scripts.statement.verify import FOREVER, Checked, OtherChain, OtherHistory, verify_statement
from tests.ledger.indexed import Indexed
from tests.ledger.town import Draft
from tests.statement.conftest import HEAT, WATER, Month

TOPICS = {layout[0].__name__: topic for topic, layout in event_layouts().items()}


def made(month: Month, supplier: SupplierId, first: int = 0, last: int = FOREVER, *, proved: bool = True) -> bytes:
    rpc = month.town.rpc if proved else None
    return make_file(month.ledger, month.town.reader.deployment, rpc, supplier, (first, last)).encode()


def checked(month: Month, data: bytes, *, is_deep: bool = False, reader: Reader | None = None) -> Checked:
    return verify_statement(StatementFile.parse(data), reader or month.town.reader, is_deep=is_deep)


@pytest.fixture(scope="session")
def whole(month: Month) -> dict[SupplierId, bytes]:
    return {supplier: made(month, supplier) for supplier in (WATER, HEAT)}


@pytest.mark.parametrize("supplier", [WATER, HEAT])
def test_an_honest_statement_passes_against_the_node_alone(
    month: Month, whole: dict[SupplierId, bytes], supplier: SupplierId
) -> None:
    found = checked(month, whole[supplier], is_deep=True)
    assert found.findings == ()
    assert found.is_complete
    assert found.proven_receipts == found.receipts > 20
    assert found.deep_blocks is not None
    gift = 77 if supplier == HEAT else 0
    assert found.transferred_kopecks == found.received_kopecks + gift
    assert found.other_transfers == (1 if gift else 0)
    balance = month.town.reader.view("Rouble", "balanceOf", found.statement.payouts[0].wallet)
    assert found.transferred_kopecks == balance


def test_every_span_passes_and_joins_the_next(month: Month) -> None:
    rows = month.ledger.supplier_statement(WATER, 0, FOREVER).receipts
    for cut in sorted({row.timestamp for row in rows})[::3]:
        before, after = made(month, WATER, 0, cut - 1), made(month, WATER, cut, month.last - 1)
        assert checked(month, before).is_complete
        found = checked(month, after)
        assert found.findings == ()
        last = json.loads(before)["balances"]["closing_debt_kopecks"]
        assert json.loads(after)["balances"]["opening_debt_kopecks"] == last


def test_a_span_that_has_not_ended_is_not_called_complete(month: Month) -> None:
    found = checked(month, made(month, WATER, 0, month.last + 1_000))
    assert found.findings == ()
    assert not found.is_whole
    assert not found.is_complete


# --- a file that was tampered with ---


def _numbers(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where whole numbers and hashes stand in a file."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, (*path, key))
    elif isinstance(value, list):
        for key, item in enumerate(value):
            yield from _numbers(item, (*path, key))
    elif (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and value[:2] == "0x"):
        yield path


def _bent(value: Any, path: Sequence[str | int], draw: random.Random) -> None:
    for key in path[:-1]:
        value = value[key]
    old = value[path[-1]]
    if isinstance(old, int):
        value[path[-1]] = old + draw.choice((-1, 1))
    else:
        place = draw.randrange(2, len(old))
        digit = draw.choice([c for c in "0123456789abcdef" if c != old[place].lower()])
        value[path[-1]] = old[:place] + digit + old[place + 1 :]


@pytest.mark.parametrize("part", ["head", "receipts", "proofs"])
def test_any_changed_number_or_hash_is_found(month: Month, whole: dict[SupplierId, bytes], part: str) -> None:
    for seed in range(40):
        draw = random.Random(f"{part}{seed}")
        value = json.loads(whole[draw.choice((WATER, HEAT))])
        known = [p for p in _numbers(value) if p[0] not in {"first", "last"}]  # a second more may hold the same rows
        in_part = [p for p in known if p[0] == part or (part == "head" and p[0] not in {"receipts", "proofs"})]
        _bent(value, draw.choice(in_part), draw)
        _refused(month, value)


@pytest.mark.parametrize("part", ["receipts", "runs", "replaced", "payouts"])
def test_each_row_left_out_or_doubled_is_named(month: Month, whole: dict[SupplierId, bytes], part: str) -> None:
    value = json.loads(whole[WATER])
    assert value[part]
    for place in range(0, len(value[part]), 4):
        less = copy.deepcopy(value)
        row = less[part].pop(place)
        _refused(month, less, f"block {row['block']}, log {row['log']}" if part == "receipts" else None)
        more = copy.deepcopy(value)
        more[part].append(copy.deepcopy(row))
        _refused(month, more)


def test_a_receipt_hidden_with_all_its_sums_is_named(month: Month, whole: dict[SupplierId, bytes]) -> None:
    value = json.loads(whole[WATER])
    row = next(r for r in value["receipts"] if r["source"] == "agent")
    value["receipts"].remove(row)
    value["turnover"]["agent"] -= row["amount_kopecks"]
    value["balances"]["closing_debt_kopecks"] += row["amount_kopecks"]
    found = _refused(month, value, f"block {row['block']}, log {row['log']}")
    assert found is not None
    assert found.findings[0].what == "receipt left out"
    assert str(row["amount_kopecks"]) in found.findings[0].at_node


def test_withheld_lines_are_named(month: Month, whole: dict[SupplierId, bytes]) -> None:
    for run in json.loads(whole[WATER])["lines"]:
        value = json.loads(whole[WATER])
        del value["lines"][run]
        found = _refused(month, value)
        assert found is not None
        assert ("lines withheld", f"lines of run {run}") in {(f.what, f.record) for f in found.findings}


def _refused(month: Month, value: dict[str, Any], record: str | None = None) -> Checked | None:
    """The check finds something, or refuses the file or its chain outright."""
    try:
        found = checked(month, json.dumps(value).encode())
    except (BadStatementFile, OtherChain, OtherHistory, NodeBehind):
        assert record is None
        return None
    assert not found.is_complete
    assert found.findings
    assert record is None or any(f.record.startswith(record) for f in found.findings)
    return found


def test_files_of_another_form_are_refused(whole: dict[SupplierId, bytes]) -> None:
    for data in (b"", b"[]", b"{}", whole[WATER][:-20], whole[WATER].replace(b'"kopeck_statement": 1', b'"a": 1')):
        with pytest.raises(BadStatementFile):
            StatementFile.parse(data)


# --- a node that lies ---


class Lying(Rpc):
    """A node that keeps back the logs of one transaction: those of some events, or all."""

    def __init__(self, url: str, transaction: str, names: Sequence[str]) -> None:
        super().__init__(url)
        self.transaction = transaction
        self.topics = {TOPICS[name] for name in names}

    def call(self, method: str, *params: object) -> Any:
        return self._kept(method, super().call(method, *params))

    def batch_each(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        found = super().batch_each(calls)
        return [self._kept(method, result) for (method, _), result in zip(calls, found, strict=True)]

    def _kept(self, method: str, result: Any) -> Any:
        if method != "eth_getLogs" or not isinstance(result, list):
            return result
        return [r for r in result if r["transactionHash"] != self.transaction or r["topics"][0] not in self.topics]


def _without(data: bytes, transaction: str) -> bytes:
    value = json.loads(data)
    gone = [r for r in value["receipts"] if r["transaction"] == transaction]
    value["receipts"] = [r for r in value["receipts"] if r not in gone]
    for row in gone:
        value["turnover"][row["source"]] -= row["amount_kopecks"]
        value["balances"]["closing_debt_kopecks"] += row["amount_kopecks"]
    return json.dumps(value).encode()


def test_a_node_and_a_file_that_hide_a_receipt_together_are_found_out(
    month: Month, whole: dict[SupplierId, bytes]
) -> None:
    rows = json.loads(whole[WATER])["receipts"]
    row = next(
        r for r in rows if r["source"] == "payer" and sum(o["transaction"] == r["transaction"] for o in rows) == 1
    )
    file = _without(whole[WATER], row["transaction"])
    for names in (["BillPaid"], ["BillPaid", "Transfer"]):
        lying = Reader(Lying(month.town.rpc.url, row["transaction"], names), month.town.reader.deployment)
        deep = checked(month, file, reader=lying, is_deep=True)
        assert ("event withheld by the node", f"block {row['block']}") in {(f.what, f.record) for f in deep.findings}
        shallow = checked(month, file, reader=lying)
        if "Transfer" in names:  # the balance tells, though not which receipt
            assert [f.what for f in shallow.findings] == ["transfers do not make the balance"]
        else:  # the money shows as a transfer without a receipt
            assert shallow.other_transfers == 1


def test_another_chain_another_history_and_a_lagging_node_are_told_apart(
    month: Month, whole: dict[SupplierId, bytes]
) -> None:
    value = json.loads(whole[WATER])
    with pytest.raises(OtherChain):
        checked(month, json.dumps(value | {"chain": 1}).encode())
    with pytest.raises(OtherHistory):
        checked(month, json.dumps(value | {"block": "0x" + "11" * 32}).encode())
    with pytest.raises(NodeBehind):
        checked(month, json.dumps(value | {"height": 10**9}).encode())


def test_blooms_are_as_a_real_block_has_them(month: Month) -> None:
    """The node set the bits itself: every log's address and topics are in the bloom of its block."""
    raw = month.town.rpc.call("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})
    assert raw
    for log in raw[:40]:
        block = month.town.rpc.call("eth_getBlockByNumber", log["blockNumber"], False)
        bloom = int(block["logsBloom"], 16)
        for text in (log["address"], *log["topics"]):
            mask = bloom_of(bytes.fromhex(text[2:]))
            assert bloom & mask == mask
    assert int(block["logsBloom"], 16) & bloom_of(keccak(b"stranger")) != bloom_of(keccak(b"stranger"))


def test_money_a_supplier_spends_is_told_apart_from_its_receipts(month: Month) -> None:
    town = month.town
    snapshot = town.rpc.call("evm_snapshot")
    try:
        run = town.post_run([Draft("late", ((1, 4_321),))], month.key)
        town.pay("agent", run, 0, 4_000)
        town.transfer("water", "heat", 1_000)  # the supplier spends from its wallet
        town.redeem("water", 500, "r1")
        town.finalise()
        later = _followed_again(month)
        data = make_file(later, town.reader.deployment, town.rpc, WATER, (0, FOREVER)).encode()
        found = checked(month, data, is_deep=True)
        assert found.is_complete
        assert found.other_transfers == 2
        assert found.transferred_kopecks == found.received_kopecks - 1_500
    finally:
        town.rpc.call("evm_revert", snapshot)


def _followed_again(month: Month) -> Ledger:
    folder = month.folder / "again"
    folder.mkdir()
    return Indexed(month.town, folder).sync()


# --- the command ---


def test_the_command_ends_well_only_where_all_is_well(
    month: Month, whole: dict[SupplierId, bytes], tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment: Deployment = month.town.reader.deployment
    deployment.save(tmp_path / "deployment.json")
    path = tmp_path / "statement.json"
    path.write_bytes(whole[HEAT])
    command = ["statement", "verify", str(path), "--rpc", month.town.rpc.url]
    command += ["--deployment", str(tmp_path / "deployment.json"), "--json"]
    assert not cli(command, standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["is_complete"]
    value = json.loads(whole[HEAT])
    value["receipts"].pop()
    path.write_text(json.dumps(value))
    assert cli(command, standalone_mode=False) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["what"] == "receipt left out"
