"""Our wire code against the golden vectors, which other code made from docs/protocol.md (tests/vectors/make.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from contracts.wire.ids import Address, BillKey, Hash, Period, RunId, SourceId, bill_id, parse_address, prepayment_tag
from contracts.wire.keccak import keccak
from contracts.wire.leaf import (
    BillBlob,
    BillKind,
    BillLine,
    Credit,
    Decision,
    DecisionReason,
    Grant,
    Profile,
    Quality,
    ReadingFlags,
    Record,
    RegisterReading,
    SupplierLine,
    bill_commit,
    decode_bill,
    decode_grant,
    decode_supplier_line,
    encode_bill,
    encode_grant,
    encode_supplier_line,
    grant_commit,
    prepayment_id,
    reading_blob,
    split_reading_blob,
)
from contracts.wire.merkle import ProofError, Tree, leaf_hash, root_of, root_of_many
from contracts.wire.structs import supersession_hash
from contracts.wire.typed_data import (
    BatchHeader,
    EpochReset,
    Purpose,
    SplitAuthorization,
    address_of,
    anchor_domain,
    recover,
    rouble_domain,
    sign_digest,
)
from contracts.wire.units import Unit, split_largest_remainder

FOLDER = Path(__file__).resolve().parent.parent / "vectors"


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


# --- trees ---


@pytest.mark.parametrize("given", load("trees"), ids=lambda v: f"{len(v['leaves'])} leaves")
def test_trees(given: dict[str, Any]) -> None:
    leaves = [Hash(raw(leaf)) for leaf in given["leaves"]]
    assert [leaf_hash(raw(blob)) for blob in given["blobs"]] == leaves
    tree = Tree.of(leaves)
    assert tree.root == raw(given["root"])
    for index, proof in enumerate(given["proofs"]):
        nodes = [Hash(raw(node)) for node in proof]
        assert len(nodes) == given["depth"]
        assert tree.proof(index) == nodes
        assert root_of(leaves[index], index, nodes, len(leaves)) == tree.root
    indices = given["multiproof"]["indices"]
    nodes = [Hash(raw(node)) for node in given["multiproof"]["proof"]]
    assert tree.multiproof(indices) == nodes
    assert root_of_many([leaves[i] for i in indices], indices, nodes, len(leaves)) == tree.root


@pytest.mark.parametrize("given", load("trees")[2:], ids=lambda v: f"{len(v['leaves'])} leaves")
def test_an_alias_of_an_index_or_a_proof_of_another_length_is_refused(given: dict[str, Any]) -> None:
    leaves = [Hash(raw(leaf)) for leaf in given["leaves"]]
    proof = [Hash(raw(node)) for node in given["proofs"][0]]
    count = len(leaves)
    for index in (1 << given["depth"], count, -1):
        with pytest.raises(ProofError):
            root_of(leaves[0], index, proof, count)
    with pytest.raises(ProofError):
        root_of(leaves[0], 0, proof[:-1], count)
    with pytest.raises(ProofError):
        root_of(leaves[0], 0, [*proof, proof[0]], count)
    nodes = Tree.of(leaves).multiproof([0, count - 1])
    for indices in ([count - 1, 0], [0, 0], [0, 1 << given["depth"]]):
        with pytest.raises(ProofError):
            root_of_many([leaves[0], leaves[-1]], indices, nodes, count)
    with pytest.raises(ProofError):
        root_of_many([leaves[0], leaves[-1]], [0, count - 1], [*nodes, nodes[0]] if nodes else [leaves[0]], count)


# --- leaves ---


def record(given: dict[str, Any]) -> Record:
    if given["kind"] == 0:
        return RegisterReading(
            raw(given["meter"]),
            given["register"],
            given["taken_at"],
            given["value"],
            Unit(given["unit"]),
            Quality(given["quality"]),
            ReadingFlags(given["flags"]),
        )
    if given["kind"] == 1:
        return Profile(
            raw(given["meter"]),
            given["register"],
            given["start"],
            given["step_s"],
            Unit(given["unit"]),
            tuple(given["values"]),
            tuple(map(Quality, given["qualities"])),
            ReadingFlags(given["flags"]),
        )
    instead = None if given["instead"] is None else record(given["instead"])
    assert not isinstance(instead, Decision)
    return Decision(
        Hash(raw(given["root"])), given["index"], Quality(given["quality"]), DecisionReason(given["reason"]), instead
    )


@pytest.mark.parametrize("given", load("readings"), ids=["register", "profile", "decision", "rejection"])
def test_readings(given: dict[str, Any]) -> None:
    blob = reading_blob(raw(given["salt"]), record(given["fields"]))
    assert blob == raw(given["blob"])
    assert leaf_hash(blob) == raw(given["leaf"])
    assert split_reading_blob(blob) == (raw(given["salt"]), record(given["fields"]))


@pytest.mark.parametrize("given", load("bills"))
def test_bills(given: dict[str, Any]) -> None:
    commit = bill_commit(raw(given["bill_id"]), raw(given["salt"]), raw(given["document"]))
    assert commit == raw(given["commit"])
    bill = BillBlob(
        commit,
        BillKind(given["kind"]),
        tuple(BillLine(line["supplier"], line["amount"]) for line in given["lines"]),
        tuple(Credit(c["line"], c["amount"], Hash(raw(c["prepayment"]))) for c in given["credits"]),
        None if given["original"] is None else BillKey(*given["original"]),
    )
    assert encode_bill(bill) == raw(given["blob"])
    assert decode_bill(raw(given["blob"])) == bill
    assert leaf_hash(encode_bill(bill)) == raw(given["leaf"])


def test_grants_and_supplier_lines() -> None:
    given = load("small_leaves")["grant"]
    commit = grant_commit(raw(given["salt"]), raw(given["decision"]))
    grant = Grant(commit, BillKey(*given["bill"]), given["line"], given["maximum"], given["expires_at"])
    assert encode_grant(grant) == raw(given["blob"])
    assert decode_grant(raw(given["blob"])) == grant
    given = load("small_leaves")["supplier_line"]
    line = SupplierLine(given["index"], given["line"], BillKind(given["kind"]), given["amount"])
    assert encode_supplier_line(line) == raw(given["blob"])
    assert decode_supplier_line(raw(given["blob"])) == line


def test_names() -> None:
    given = load("names")
    key = raw(given["account_key"])
    assert bill_id(key, Period.from_number(given["bill_id"]["period"]), given["bill_id"]["revision"]) == raw(
        given["bill_id"]["value"]
    )
    prepayment = given["prepayment"]
    assert prepayment_tag(key, prepayment["counter"]) == raw(prepayment["tag"])
    assert prepayment_id(raw(prepayment["payer"]), raw(prepayment["tag"])) == raw(prepayment["value"])
    bills = [BillKey(RunId(run), index) for run, index in given["superseded"]["bills"]]
    assert supersession_hash(reversed(bills)) == raw(given["superseded"]["value"])
    assert supersession_hash([]) == bytes(32)


# --- signatures ---

SIGNED = load("signatures")


def header() -> BatchHeader:
    given = SIGNED["header"]["message"]
    return BatchHeader(
        SourceId(given["source"]),
        given["epoch"],
        given["sequence"],
        raw(given["previous"]),
        Hash(raw(given["root"])),
        given["count"],
        given["periodStart"],
        given["periodEnd"],
        Hash(raw(given["document"])),
    )


def authorization(name: str) -> SplitAuthorization:
    given = SIGNED[name]["message"]
    purpose = given["purpose"]
    return SplitAuthorization(
        parse_address(given["payer"]),
        parse_address(given["spender"]),
        given["maximum"],
        Purpose(
            purpose["action"], purpose["run"], purpose["index"], purpose["line"], parse_address(purpose["recipient"])
        ),
        given["nonce"],
        given["validBefore"],
    )


def structs() -> list[tuple[str, Any, Any]]:
    anchor = anchor_domain(SIGNED["chain_id"], parse_address(SIGNED["anchor"]))
    rouble = rouble_domain(SIGNED["chain_id"], parse_address(SIGNED["rouble"]))
    reset = SIGNED["reset"]["message"]
    return [
        ("header", anchor, header()),
        (
            "reset",
            anchor,
            EpochReset(SourceId(reset["source"]), reset["epoch"], raw(reset["previous"]), Hash(raw(reset["reason"]))),
        ),
        ("pay", rouble, authorization("pay")),
        ("refund", rouble, authorization("refund")),
    ]


@pytest.mark.parametrize(("name", "domain", "struct"), structs(), ids=[row[0] for row in structs()])
def test_signatures(name: str, domain: Any, struct: Any) -> None:
    given = SIGNED[name]
    assert domain.separator == raw(given["domain_separator"])
    assert struct.struct_hash() == raw(given["struct_hash"])
    digest = domain.digest(struct.struct_hash())
    assert digest == raw(given["digest"])
    assert sign_digest(raw(SIGNED["private_key"]), digest) == raw(given["signature"])
    assert recover(digest, raw(given["signature"])) == parse_address(SIGNED["signer"])
    assert address_of(raw(SIGNED["private_key"])) == parse_address(SIGNED["signer"])


def test_recovering_agrees_with_eth_account_on_many_keys() -> None:
    for number in range(1, 40):
        key = keccak(bytes([number]))
        digest = keccak(key)
        assert address_of(key) == parse_address(Account.from_key(key).address)
        signed = Account.unsafe_sign_hash(digest, key)
        assert sign_digest(key, digest) == signed.signature
        assert recover(digest, bytes(signed.signature)) == Address(raw(Account.from_key(key).address))


# --- division ---


@pytest.mark.parametrize("given", load("divisions"))
def test_divisions(given: dict[str, Any]) -> None:
    parts = split_largest_remainder(given["total"], given["weights"])
    assert parts == given["parts"]
    assert sum(parts) == given["total"]


def test_the_vectors_are_what_their_maker_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.vectors import make

    monkeypatch.setattr(make, "HERE", tmp_path)
    make.main()
    for path in tmp_path.iterdir():
        assert path.read_text() == (FOLDER / path.name).read_text()
