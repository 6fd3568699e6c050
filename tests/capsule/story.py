"""A short story on a real Anvil that leaves bills in every state, and a capsule of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.wire.capsule import Trust
from contracts.wire.checkpoint import Checkpoint, Cosignature, Cosigned
from contracts.wire.ids import Address, BillKey, BillState, KeyId, Reference, SupplierId, Tag
from contracts.wire.leaf import BillKind, Credit
from contracts.wire.typed_data import address_of
from ledger.queries import Ledger
from scripts.capsule.make import make_capsule
from tests.client.chain import anvil
from tests.ledger.indexed import Indexed
from tests.ledger.town import Draft, PostedRun, Town, bytes_of, key_of

KEY = KeyId(bytes_of("account", 16))
OBSERVERS = ("regulator", "supplier", "municipality")


@dataclass(frozen=True)
class Told:
    """What the story left. ``capsules`` by name, and the state each shows."""

    town: Town
    ledger: Ledger
    trust: Trust
    checkpoint: Checkpoint
    keys: Mapping[str, BillKey]
    capsules: Mapping[str, bytes]
    states: Mapping[str, BillState]

    def made(self, name: str, cosigned: Cosigned, *, with_document: bool = True) -> bytes:
        """The capsule of a bill under other cosignatures."""
        town = self.town
        return make_capsule(
            self.ledger, town.reader.deployment, town.rpc, cosigned, self.keys[name], with_document=with_document
        ).encode()


def observer(name: str) -> Address:
    """An observer's account."""
    return address_of(key_of(name))


def cosigned_by(checkpoint: Checkpoint, *names: str) -> Cosigned:
    """The checkpoint under these observers' signatures."""
    return Cosigned(checkpoint).merged(
        tuple(Cosignature.make(key_of(name), observer(name), checkpoint) for name in names)
    )


def tell(town: Town, folder: Path) -> Told:
    """Plays it and makes the capsules."""
    town.add_supplier("water")
    town.add_supplier("heat")
    town.mint("agent", 1_000_000, "d1")
    town.mint("welfare", 500_000, "d2")
    keys = _play(town)
    town.finalise()
    ledger = Indexed(town, folder).sync()
    deployment = town.reader.deployment
    checkpoint = ledger.checkpoint(deployment)
    cosigned = cosigned_by(checkpoint, *OBSERVERS)
    trust = Trust(
        deployment.chain_id,
        deployment.addresses["Settlement"],
        deployment.addresses["ChargeBook"],
        frozenset(map(observer, OBSERVERS)),
        frozenset({observer("regulator")}),
        2,
        {checkpoint.height: checkpoint.block},
    )
    told = Told(town, ledger, trust, checkpoint, keys, {}, STATES)
    capsules = {name: told.made(name, cosigned, with_document=name != "open") for name in keys}
    return Told(town, ledger, trust, checkpoint, keys, capsules, STATES)


STATES = {
    "paid": BillState.PAID,
    "open": BillState.OPEN,
    "helped": BillState.PAID,
    "partial": BillState.PARTIAL,
    "batch": BillState.PAID,
    "superseded": BillState.SUPERSEDED,
    "note": BillState.PAID,
}


def _play(town: Town) -> dict[str, BillKey]:
    prepayment = town.prepay("agent", SupplierId(1), 700, Tag(bytes_of("tag")))
    drafts = [
        Draft("helped", ((1, 1_000), (2, 5_000)), credits=(Credit(0, 700, prepayment),)),
        *(Draft(name, ((1, 12_345), (2, 678))) for name in ("paid", "open", "partial", "batch", "superseded")),
        *(Draft(f"batch{i}", ((1, 100 + i), (2, 200))) for i in range(20)),
    ]
    run = town.post_run(drafts, KEY)
    place = {draft.name: run.order_of(draft.blob.commit) for draft in drafts}
    town.pay("agent", run, place["paid"])
    grants, blobs = town.post_grants([(run.key(place["helped"]), 1, 1_500)], "act")
    town.apply_grant(grants, blobs, 0, run, place["helped"])
    town.pay("agent", run, place["helped"])
    town.mint("resident", 5_000, "d3")
    town.pay_order("resident", run, place["partial"], 5_000, 1)
    note = _give_back(town, run, place["helped"])
    town.post_run([Draft("instead", ((1, 900),))], KEY, superseded=[run.key(place["superseded"])])
    others = {place[f"batch{i}"]: 1 << 40 for i in range(20)}
    town.pay_batch(Reference(bytes_of("batch")), run, others | {place["batch"]: 1 << 40})
    keys = {name: run.key(place[name]) for name in STATES if name != "note"}
    return keys | {"note": note}


def _give_back(town: Town, run: PostedRun, index: int) -> BillKey:
    lines = ((1, 0), (2, 2_000))
    note = town.post_run([Draft("n", lines, BillKind.CREDIT_NOTE, original=run.key(index))], KEY)
    town.refund("heat", note.proven(0), run.proven(index), 1, nonce=5)
    return note.key(0)


def told_anew(folder: Path) -> Told:
    """The story on a chain of its own; gone when this returns, so that nothing but the capsules is left."""
    with anvil(block_time_s=0.1) as node:
        town = Town.build(node.rpc, folder)
        town.files, town.keys = FileStore(folder / "served"), KeyRing(folder / "keyring.db")
        return tell(town, folder)
