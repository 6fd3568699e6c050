"""Capsules made of a real chain's blocks: what they prove, and that nothing bent passes. The roots are Anvil's own."""

from __future__ import annotations

import random
import socket

import pytest
import rlp  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from contracts.wire.capsule import CapsuleError, Trust, parse_capsule
from contracts.wire.capsule_check import verify_capsule
from contracts.wire.rlp import RlpError, decode_rlp, encode_rlp
from contracts.wire.trie import EMPTY_TRIE, Trie, TrieError, trie_value
from tests.capsule.bent import bent_capsules, bent_trust, flips
from tests.capsule.story import STATES, Told

FLIPS = 400
items = st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=5), max_leaves=12)


@pytest.fixture(autouse=True)
def _no_network(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told.capsules  # made before the network goes

    def refuse(*_: object) -> None:
        raise AssertionError("a verifier went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


class TestRlp:
    @given(items)
    def test_agrees_with_the_reference(self, item: object) -> None:
        encoded = rlp.encode(item)
        assert encode_rlp(item) == encoded  # type: ignore[arg-type]
        assert decode_rlp(encoded) == item

    @given(st.binary(max_size=12))
    def test_refuses_what_the_reference_refuses(self, data: bytes) -> None:
        try:
            expected = rlp.decode(data, strict=True)
        except rlp.DecodingError:
            with pytest.raises(RlpError):
                decode_rlp(data)
        else:
            assert decode_rlp(data) == expected


class TestTrie:
    def test_the_empty_trie_is_ethereum_s(self) -> None:
        known = "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
        assert bytes(EMPTY_TRIE).hex() == Trie([]).root.hex() == known

    @pytest.mark.parametrize("count", [1, 2, 16, 17, 127, 128, 129, 300])
    def test_every_value_is_proved_and_no_other(self, count: int) -> None:
        draw = random.Random(count)
        shortest = draw.choice((1, 33))  # short values stand in the node above them
        values = [draw.randbytes(draw.randint(shortest, 90)) for _ in range(count)]
        trie = Trie(values)
        for index in draw.sample(range(count), min(count, 40)):
            proof = trie.proof(index)
            assert trie_value(trie.root, index, proof) == values[index]
            if shortest > 32:
                with pytest.raises(TrieError):
                    trie_value(trie.root, index + 1, proof)
            with pytest.raises(TrieError):
                trie_value(trie.root, index, [*proof, proof[-1]])


class TestCapsule:
    @pytest.mark.parametrize("name", STATES)
    def test_proves_the_state_and_every_kopeck(self, told: Told, name: str) -> None:
        verdict = verify_capsule(told.capsules[name], told.trust)
        view = told.ledger.bill(told.keys[name])
        assert view is not None
        assert (verdict.key, verdict.state, verdict.period) == (view.key, view.state, view.period)
        assert verdict.state is STATES[name]
        assert len(verdict.observers) == 3
        for mine, theirs in zip(verdict.lines, view.lines, strict=True):
            assert (mine.charged_kopecks, mine.paid_kopecks) == (theirs.charged_kopecks, theirs.paid_kopecks)
            assert (mine.granted_kopecks, mine.netted_kopecks) == (theirs.granted_kopecks, theirs.netted_kopecks)
            assert mine.refunded_kopecks == theirs.refunded_kopecks
        assert verdict.document == (None if name == "open" else view.document)

    def test_names_who_paid_and_when(self, told: Told) -> None:
        (payment,) = verify_capsule(told.capsules["partial"], told.trust).payments
        (receipt,) = told.ledger.receipts(told.keys["partial"])
        assert payment.payer == told.town.account("resident")
        assert (payment.amount_kopecks, payment.timestamp) == (5_000, receipt.timestamp)
        assert payment.block_number == receipt.block_number
        assert receipt.reference is not None
        assert bytes(payment.reference) == bytes(receipt.reference)

    def test_survives_its_own_spelling(self, told: Told) -> None:
        for data in told.capsules.values():
            assert parse_capsule(data).encode() == data
        assert Trust.parse(told.trust.encode()) == told.trust

    def test_each_fault_is_told_by_its_own_word(self, told: Told) -> None:
        cases = [*bent_trust(told), *bent_capsules(told)]
        found = {}
        for case in cases:
            with pytest.raises(CapsuleError) as caught:
                verify_capsule(case.capsule, case.trust)
            found[case.name] = caught.value.refusal
        assert found == {case.name: case.refusal for case in cases}

    @pytest.mark.parametrize("name", ["paid", "open", "helped", "batch"])
    def test_no_flipped_bit_passes(self, told: Told, name: str) -> None:
        for bent in flips(told.capsules[name], FLIPS, seed=7):
            if bent != told.capsules[name]:
                with pytest.raises(CapsuleError):
                    verify_capsule(bent, told.trust)
