"""The Registry's and the ReadingAnchor's part of the play: payouts, keys of suppliers, chains of batches."""

from __future__ import annotations

from contracts.client import abi
from contracts.wire import calls
from contracts.wire.files import encode_file
from contracts.wire.ids import NO_HASH, Hash, MeterId, SourceClass, SourceId, SupplierId
from contracts.wire.leaf import RegisterReading, reading_blob
from contracts.wire.typed_data import BatchHeader, EpochReset, anchor_domain, sign_digest
from contracts.wire.units import Unit
from tests.invariants.books import SourceHead, Supplier, require
from tests.invariants.model import Model
from tests.invariants.play import KEY, Play, authorised
from tests.ledger.town import bytes_of, key_of

PAYOUT_DELAY_S, KEY_DELAY_S = 30, 60  # scripts.deploy.Settings
ADMIN = "Timelock"


# --- payouts (invariant 9) ---


def propose_payout(play: Play, supplier: int, wallet: str, by: str) -> bool:
    """First step: the supplier's own key alone."""
    caller, payout = play.town.account(by), play.town.account(wallet)

    def act(model: Model) -> None:
        known = model.suppliers[supplier]
        require(caller == known.key, "RegistryNotSupplierKey")
        known.proposed, known.executable_at = payout, 0

    return play.supply(by, calls.encode_propose_payout(SupplierId(supplier), payout), act)


def approve_payout(play: Play, supplier: int, wallet: str, by: str) -> bool:
    """Second step: the operator alone, naming the same wallet."""
    payout = play.town.account(wallet)

    def act(model: Model) -> None:
        authorised(by, "operator")
        known = model.suppliers[supplier]
        require(known.proposed is not None, "RegistryNoProposal")
        require(known.proposed == payout, "RegistryPayoutDiffers")
        require(known.executable_at == 0, "RegistryAlreadyApproved")
        known.executable_at = model.now + PAYOUT_DELAY_S

    return play.supply(by, calls.encode_approve_payout(SupplierId(supplier), payout), act)


def execute_payout(play: Play, supplier: int) -> bool:
    """Third step: anybody, after the delay."""

    def act(model: Model) -> None:
        known = model.suppliers[supplier]
        require(known.proposed is not None and known.executable_at != 0, "RegistryNoProposal")
        require(model.now >= known.executable_at, "RegistryTooEarly")
        assert known.proposed is not None
        known.payout = known.proposed
        _forget_payout(known)

    return play.supply("stranger", calls.encode_execute_payout(SupplierId(supplier)), act)


def cancel_payout(play: Play, supplier: int, by: str) -> bool:
    """The guardian's right."""

    def act(model: Model) -> None:
        authorised(by, "guardian")
        known = model.suppliers[supplier]
        require(known.proposed is not None, "RegistryNoProposal")
        _forget_payout(known)

    return play.supply(by, calls.encode_cancel_payout(SupplierId(supplier)), act)


def propose_key(play: Play, supplier: int, name: str, by: str) -> bool:
    """A lost key: the timelock alone."""
    key = play.town.account(name)

    def act(model: Model) -> None:
        authorised(by, ADMIN)
        known = model.suppliers[supplier]
        known.new_key, known.key_executable_at = key, model.now + KEY_DELAY_S

    return play.supply(by, play_key_call("proposeSupplierKey", supplier, key), act)


def execute_key(play: Play, supplier: int) -> bool:
    """Anybody, after the longer delay; what the lost key proposed goes with it."""

    def act(model: Model) -> None:
        known = model.suppliers[supplier]
        require(known.new_key is not None, "RegistryNoProposal")
        require(model.now >= known.key_executable_at, "RegistryTooEarly")
        assert known.new_key is not None
        known.key, known.new_key = known.new_key, None
        _forget_payout(known)

    return play.supply("stranger", play_key_call("executeSupplierKey", supplier), act)


def play_key_call(function: str, supplier: int, *args: object) -> bytes:
    """These two have no hot encoder."""
    return abi.encode("Registry", function, supplier, *args)


def _forget_payout(known: Supplier) -> None:
    known.proposed, known.executable_at = None, 0


# --- chains of batches (invariant 4) ---


def add_source(play: Play, name: str) -> int:
    """A source with its own key."""
    source = play.town.add_source(name, SourceClass.CONCENTRATOR)
    play.model.heads[source] = SourceHead(name)
    return source


def anchor(play: Play, source: int, signer: str | None = None, skip: int = 0, previous: bytes | None = None) -> bool:
    """A batch as it should be; or with a sequence skipped, another previous head, another's signature."""
    head = play.model.heads[source]
    signer = signer or head.key
    root = _served_root(play)
    header = BatchHeader(
        SourceId(source), head.epoch, head.sequence + 1 + skip, head.hash if previous is None else previous, root, 1,
        0, 0, NO_HASH,
    )  # fmt: skip
    signature = sign_digest(key_of(signer), _anchor_digest(play, header.struct_hash()))

    def act(model: Model) -> None:
        known = model.heads[source]
        require(header.epoch == known.epoch, "ReadingAnchorWrongEpoch")
        require(header.sequence == known.sequence + 1, "ReadingAnchorWrongSequence")
        require(header.previous == known.hash, "ReadingAnchorBrokenChain")
        require(signer == known.key, "ReadingAnchorWrongSigner")
        known.sequence, known.hash = header.sequence, header.head()

    return play.both("relay", "ReadingAnchor", calls.encode_anchor(header, signature), act)


def _served_root(play: Play) -> Hash:
    """The root of a file of one reading, served."""
    number = play.fresh()
    record = RegisterReading(MeterId(bytes_of("meter", 16)), 0, number, number, Unit.LITRE)
    lines = play.town.sealed([reading_blob(bytes_of(f"reading {number}"), record)], KEY)
    root = lines[0].leaf
    play.town.files.put("readings", root, encode_file({"kind": "readings"}, lines))
    return root


def reset_epoch(play: Play, source: int, source_signer: str, operator_signer: str) -> bool:
    """A declared gap, signed by the source and by an operator."""
    head = play.model.heads[source]
    reset = EpochReset(SourceId(source), head.epoch + 1, head.hash, Hash(bytes_of("a gap")))
    digest = _anchor_digest(play, reset.struct_hash())
    data = calls.encode_reset_epoch(
        reset.source, reset.reason, sign_digest(key_of(source_signer), digest),
        sign_digest(key_of(operator_signer), digest),
    )  # fmt: skip

    def act(model: Model) -> None:
        known = model.heads[source]
        require(source_signer == known.key, "ReadingAnchorWrongSigner")
        require(operator_signer == "operator", "ReadingAnchorNotOperator")
        known.epoch, known.sequence, known.hash = reset.epoch, 0, reset.head()

    return play.both("relay", "ReadingAnchor", data, act)


def rotate(play: Play, source: int, name: str, by: str = "operator") -> bool:
    """Another key for a source."""

    def act(model: Model) -> None:
        authorised(by, "operator")
        model.heads[source].key = name

    data = calls.encode_rotate_source(SourceId(source), play.town.account(name), 0)
    return play.both(by, "Registry", data, act)


def _anchor_digest(play: Play, struct_hash: Hash) -> Hash:
    deployment = play.town.reader.deployment
    return anchor_domain(deployment.chain_id, deployment.addresses["ReadingAnchor"]).digest(struct_hash)
