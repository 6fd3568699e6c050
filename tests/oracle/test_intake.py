"""Signed batches: what is taken, what is refused, and that nothing is left half-done."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from sqlalchemy import select

from contracts.wire.files import parse_file
from contracts.wire.ids import Hash, MeterId, SourceClass
from contracts.wire.leaf import DecisionReason, Record, split_reading_blob
from contracts.wire.sealed import SealError, unseal
from contracts.wire.typed_data import address_of
from oracle import quarantine, store
from oracle import schema as t
from oracle.batch import NO_BATCH, ChainHead, SignedBatch, batch_from_json, batch_to_json
from oracle.errors import (
    BadLeaf,
    BrokenChain,
    CountMismatch,
    EmptyBatch,
    Equivocation,
    MissingDocument,
    OracleError,
    PeriodInFuture,
    PeriodReversed,
    RootMismatch,
    SourceNotYetValid,
    SourceRevoked,
    StaleSequence,
    TooFarAhead,
    UnknownSource,
    WrongEpoch,
    WrongSignature,
)
from oracle.intake import Intake
from oracle.store import BatchState
from tests.oracle.conftest import HOUR, NOW, Signer, Town, reading


def standing(intake: Intake, source: int) -> ChainHead:
    with intake.engine.begin() as connection:
        return store.chain_of(connection, source) or NO_BATCH


def states(intake: Intake) -> dict[str, int]:
    with intake.engine.begin() as connection:
        return store.count_by_state(connection)


def quarantined(intake: Intake) -> list[str]:
    with intake.engine.begin() as connection:
        return [row.slug for row in quarantine.page(connection)]


def decisions(intake: Intake) -> list[tuple[bytes, int, DecisionReason]]:
    with intake.engine.begin() as connection:
        rows = connection.execute(select(t.decisions).order_by(t.decisions.c.id))
        return [(bytes(row.overlaid_head), row.overlaid_index, DecisionReason(row.reason)) for row in rows]


def test_a_batch_is_durable_before_its_receipt_and_sealed_by_account(town: Town) -> None:
    source = town.signer(1)
    batch = source.next(reading(town.meters[0], 100), reading(town.meters[2], 7))
    receipt = town.intake.accept(batch)
    assert (receipt.state, receipt.sequence, receipt.root) == ("accepted", 1, batch.header.root)

    data = (town.folder / "files" / "readings" / f"0x{batch.header.root.hex()}.jsonl").read_bytes()
    assert all(blob[32:].hex() not in data.decode() for blob in batch.blobs), "a record stands in the clear"
    head, lines = parse_file(data, batch.header.root)
    assert head["signature"] == "0x" + batch.signature.hex()
    assert [line.key for line in lines] == [town.accounts[0], town.accounts[1]]
    for line, blob in zip(lines, batch.blobs, strict=True):
        assert line.key is not None
        assert line.sealed is not None
        secret = town.ring.secret(line.key)
        assert secret is not None
        assert unseal(secret, line.leaf, line.sealed) == blob
    with pytest.raises(SealError):  # the other account's key opens nothing
        unseal(town.ring.secret(town.accounts[1]) or b"", lines[0].leaf, lines[0].sealed or b"")

    again = town.reopened()
    assert standing(again, 1) == source.head
    assert again.accept(batch).state == "repeated"


def test_repeats_change_nothing(town: Town) -> None:
    source = town.signer(1)
    batch = source.next(reading(town.meters[0], 100))
    first = town.intake.accept(batch)
    for _ in range(5):
        assert town.intake.accept(batch).state == "repeated"
    assert first.state == "accepted"
    assert states(town.intake) == {"accepted": 1}
    assert decisions(town.intake) == []


def test_out_of_order_batches_wait_and_end_the_same(town: Town) -> None:
    source = town.signer(1)
    meter = town.meters[0]
    batches = [source.next(reading(meter, 100 + n, NOW - 20 * HOUR + n * HOUR)) for n in range(12)]
    wanted = source.head
    order = list(batches) + batches[3:6]
    random.Random(7).shuffle(order)
    seen = [town.intake.accept(batch).state for batch in order]
    assert "waiting" in seen
    assert "repeated" in seen
    assert standing(town.intake, 1) == wanted
    assert states(town.intake) == {"accepted": 12}
    assert decisions(town.intake) == [], "read in order, no reading runs backwards"


def test_what_waits_survives_a_restart_and_is_judged_when_its_turn_comes(town: Town) -> None:
    source = town.signer(1)
    first = source.next(reading(town.meters[0], 100, NOW - 3 * HOUR))
    second = source.next(reading(town.meters[0], 90, NOW - 2 * HOUR))
    assert town.intake.accept(second).state == "waiting"
    assert decisions(town.intake) == []
    again = town.reopened()
    assert again.accept(first).state == "accepted"
    assert decisions(again) == [(second.header.head(), 0, DecisionReason.DECREASING)]


@pytest.mark.parametrize(
    ("spoil", "error", "names"),
    [
        (lambda b, _: replace(b, signature=bytes(65)), WrongSignature, "batch 1 of source 1"),
        (lambda b, _: replace(b, signature=b.signature[:-1]), WrongSignature, "nobody"),
        (
            lambda b, s: replace(b, signature=replace_signer(s, b)),
            WrongSignature,
            address_of((99).to_bytes(32, "big")).hex(),
        ),
        (lambda b, s: s.make(NO_BATCH, *records(b), source=9), UnknownSource, "source 9"),
        (lambda b, _: replace(b, blobs=()), EmptyBatch, "no leaves"),
        (lambda b, _: replace(b, blobs=b.blobs[:1]), CountMismatch, "came with 1 leaves, 2 are signed"),
        (lambda b, _: replace(b, blobs=b.blobs[::-1]), RootMismatch, b"lead to"),
        (lambda b, s: s.make(NO_BATCH, *records(b), period_start=NOW, period_end=NOW - 1), PeriodReversed, str(NOW)),
        (lambda b, s: s.make(NO_BATCH, *records(b), period_end=NOW + 901), PeriodInFuture, str(NOW + 901)),
        (lambda b, s: s.make(NO_BATCH, *records(b), document=Hash(b"\x01" * 32)), MissingDocument, "0x0101"),
        (lambda b, s: s.make(NO_BATCH, *records(b), previous=b"\x02" * 24), BrokenChain, "0x0202"),
        (lambda b, s: s.make(NO_BATCH, *records(b), epoch=1), WrongEpoch, "epoch 1"),
        (lambda b, s: s.make(NO_BATCH, *records(b), sequence=300), TooFarAhead, "batch 300"),
    ],
)
def test_a_faulty_batch_is_refused_by_name_and_leaves_nothing_half_done(town, spoil, error, names) -> None:  # type: ignore[no-untyped-def]
    source = town.signer(1)
    good = source.make(NO_BATCH, reading(town.meters[0], 100), reading(town.meters[1], 5))
    bad = spoil(good, source)
    for _ in range(2):  # refused the same way twice, kept once
        with pytest.raises(error) as caught:
            town.intake.accept(bad)
    text = str(caught.value)
    assert (names.decode() if isinstance(names, bytes) else names) in text
    assert error.remedy.split("{")[0] in text
    assert quarantined(town.intake) == ([error.slug] if error.kept else [])
    assert standing(town.intake, 1) == NO_BATCH
    assert states(town.intake) == {}
    assert decisions(town.intake) == []
    assert town.intake.accept(good).state == "accepted", "the right batch is taken after the wrong one"


def records(batch: SignedBatch) -> list[Record]:
    return [split_reading_blob(blob)[1] for blob in batch.blobs]


def replace_signer(source: Signer, batch: SignedBatch) -> bytes:
    return replace(source, key=(99).to_bytes(32, "big")).sign(batch.header)


def test_a_leaf_that_is_no_reading_is_named(town: Town) -> None:
    source = town.signer(1)
    good = source.make(NO_BATCH, reading(town.meters[0], 100))
    from contracts.wire.merkle import leaf_hash
    from oracle.batch import make_header

    blobs = (*good.blobs, b"\x07" * 60)
    header = make_header(source.source, NO_BATCH, [leaf_hash(blob) for blob in blobs], (NOW - 1, NOW))
    with pytest.raises(BadLeaf, match="leaf 1 of batch 1 of source 1"):
        town.intake.accept(SignedBatch(header, source.sign(header), blobs))
    assert quarantined(town.intake) == ["bad-leaf"]


def test_revoked_and_early_sources_are_refused(town: Town) -> None:
    source = town.signer(1)
    batch = source.make(NO_BATCH, reading(town.meters[0], 100))
    entry = town.chain.sources[1]
    town.chain.sources[1] = replace(entry, revoked_at=NOW - 5)
    with pytest.raises(SourceRevoked, match=f"revoked at {NOW - 5}"):
        town.intake.accept(batch)
    town.chain.sources[1] = replace(entry, valid_from=NOW + 5)
    with pytest.raises(SourceNotYetValid, match=f"valid from {NOW + 5}"):
        town.intake.accept(batch)
    town.chain.time = NOW + 5
    assert town.intake.accept(batch).state == "accepted"


def test_two_batches_of_one_sequence_are_kept_as_evidence(town: Town) -> None:
    source = town.signer(1)
    first = source.next(reading(town.meters[0], 100))
    twin = source.make(NO_BATCH, reading(town.meters[0], 999))
    town.intake.accept(first)
    for _ in range(2):
        with pytest.raises(Equivocation, match="signed two batches 1"):
            town.intake.accept(twin)
    with town.intake.engine.begin() as connection:
        evidence = store.unreported_equivocations(connection)
    assert [(a.header, b.header, b.signature) for _, a, b in evidence] == [(first.header, twin.header, twin.signature)]
    assert standing(town.intake, 1).head == first.header.head()
    assert town.intake.accept(source.next(reading(town.meters[0], 101, NOW))).state == "accepted"


def test_of_two_that_wait_for_one_place_the_chain_chooses(town: Town) -> None:
    source = town.signer(1)
    first = source.next(reading(town.meters[0], 100, NOW - 5 * HOUR))
    other_first = source.make(NO_BATCH, reading(town.meters[0], 50, NOW - 5 * HOUR))
    wrong_head = ChainHead(0, 1, other_first.header.head())
    stranger = source.make(wrong_head, reading(town.meters[0], 120, NOW - 4 * HOUR))
    second = source.next(reading(town.meters[0], 110, NOW - 4 * HOUR))
    town.intake.accept(stranger)
    town.intake.accept(second)
    town.intake.accept(first)
    assert standing(town.intake, 1) == source.head
    assert states(town.intake) == {"accepted": 2, "broken": 1}
    with pytest.raises(OracleError, match="is broken"):
        town.intake.accept(stranger)


def test_an_intake_that_lost_its_database_goes_on_from_the_chain(town: Town) -> None:
    source = town.signer(1)
    old = [source.next(reading(town.meters[0], 100 + n)) for n in range(3)]
    town.chain.heads[1] = source.head
    with pytest.raises(StaleSequence, match="behind the head, 3"):
        town.intake.accept(old[1])
    assert town.intake.accept(source.next(reading(town.meters[0], 110, NOW))).state == "accepted"


def test_a_declared_epoch_abandons_what_was_not_anchored(town: Town) -> None:
    source = town.signer(1)
    town.intake.accept(source.next(reading(town.meters[0], 100)))
    reset = ChainHead(1, 0, b"\x05" * 24)
    town.chain.heads[1] = reset
    fresh = source.make(reset, reading(town.meters[0], 100))
    assert town.intake.accept(fresh).state == "accepted"
    assert states(town.intake) == {"abandoned": 1, "accepted": 1}
    assert standing(town.intake, 1) == ChainHead(1, 1, fresh.header.head())


def test_a_rotated_source_signs_the_same_header_again(town: Town) -> None:
    source = town.signer(1)
    batch = source.next(reading(town.meters[0], 100))
    town.intake.accept(batch)
    with town.intake.engine.begin() as connection:
        store.set_state(connection, batch.header.head(), BatchState.STALE, "rotated")
    source.key = (77).to_bytes(32, "big")
    with pytest.raises(WrongSignature):
        town.intake.sign_again(1, 1, source.sign(batch.header))
    town.chain.sources[1] = replace(town.chain.sources[1], key=address_of(source.key))
    assert town.intake.sign_again(1, 1, source.sign(batch.header)).state == "accepted"
    with town.intake.engine.begin() as connection:
        row = store.find_batch(connection, batch.header.head())
    assert row is not None
    assert (row.state, row.signature) == (BatchState.ACCEPTED, source.sign(batch.header))
    data = town.intake.files.get("readings", batch.header.root)
    assert source.sign(batch.header).hex() in (data or b"").decode(), "the file holds the new signature"


def test_faulty_readings_are_overlaid_and_the_batch_stands_as_signed(town: Town) -> None:
    source = town.signer(1)
    stranger = MeterId(b"\x0f" * 16)
    meter = town.meters[0]
    batch = source.next(
        reading(meter, 100, NOW - 3 * HOUR),
        reading(meter, 99, NOW - 2 * HOUR),
        reading(stranger, 5),
        reading(meter, 200, NOW + 16 * 60),
        reading(meter, 101, NOW - HOUR),
    )
    assert town.intake.accept(batch).state == "accepted"
    head = batch.header.head()
    assert decisions(town.intake) == [
        (head, 1, DecisionReason.DECREASING),
        (head, 2, DecisionReason.UNKNOWN_METER),
        (head, 3, DecisionReason.FUTURE),
    ]
    _, lines = parse_file(town.intake.files.get("readings", batch.header.root) or b"", batch.header.root)
    assert len(lines) == 5
    assert all(line.sealed for line in lines)


def test_an_erased_account_is_an_unknown_meter_from_then_on(town: Town) -> None:
    source = town.signer(1)
    town.intake.accept(source.next(reading(town.meters[2], 100, NOW - 2 * HOUR)))
    town.ring.destroy(town.accounts[1], NOW, "act 1")
    batch = source.next(reading(town.meters[2], 101))
    town.intake.accept(batch)
    assert decisions(town.intake) == [(batch.header.head(), 0, DecisionReason.UNKNOWN_METER)]


def test_only_the_validation_source_decides(town: Town) -> None:
    validation = town.signer(3, SourceClass.VALIDATION)
    with pytest.raises(BadLeaf, match="decisions come from the validation source"):
        town.intake.accept(validation.make(NO_BATCH, reading(town.meters[0], 1)))


def test_the_json_form_keeps_every_byte(town: Town) -> None:
    batch = town.signer(1).next(reading(town.meters[0], 2**63), reading(town.meters[1], 0))
    assert batch_from_json(batch_to_json(batch)) == batch


def test_a_kill_between_file_and_rows_leaves_a_batch_that_can_be_sent_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = town.signer(1)
    batch = source.next(reading(town.meters[0], 100, NOW - 2 * HOUR), reading(town.meters[0], 90, NOW - HOUR))
    for step in ("set_chain", "save_windows", "add_decisions"):
        with monkeypatch.context() as patch:
            patch.setattr(store, step, _killed)
            with pytest.raises(KeyboardInterrupt):
                town.intake.accept(batch)
        again = town.reopened()
        assert states(again) == {}
        assert standing(again, 1) == NO_BATCH
        assert decisions(again) == []
    assert town.reopened().accept(batch).state == "accepted"
    assert len(decisions(town.intake)) == 1


def _killed(*_arguments: object) -> None:
    raise KeyboardInterrupt
