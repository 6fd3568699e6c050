"""A town that does seeded random things, and knows which of them a reorganisation takes back."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.wire import calls
from contracts.wire.ids import BillKey, GrantBatchId, Hash, KeyId, MeterId, Reference, SourceId, SupplierId, Tag
from contracts.wire.leaf import BillKind, Profile, Quality, RegisterReading
from contracts.wire.units import Unit
from tests.ledger.town import Draft, PostedRun, Reverted, Town, bytes_of

KEYS = [KeyId(bytes_of(f"account{i}", 16)) for i in range(4)]
METERS = [MeterId(bytes_of(f"meter{i}", 16)) for i in range(4)]
PAYERS = ("agent", "resident", "welfare")
SUPPLIERS = ("water", "heat", "power")


@dataclass
class Made:
    """What was made, each with the block it was made in."""

    roots: list[tuple[int, Hash]] = field(default_factory=list)
    runs: list[tuple[int, PostedRun]] = field(default_factory=list)
    grants: list[tuple[int, int, list[bytes], list[tuple[BillKey, int, int]]]] = field(default_factory=list)


class RandomTown:
    """Acts by one seed. What the contracts refuse is refused for good reason here, and simply not done."""

    def __init__(self, town: Town, seed: int) -> None:
        self.town = town
        self.random = random.Random(seed)
        self.made = Made()
        self.counter = 0
        self.refused = 0
        for supplier in SUPPLIERS:
            town.add_supplier(supplier)
        self.sources = {"c1": town.add_source("c1"), "c2": town.add_source("c2")}
        for payer in PAYERS:
            town.mint(payer, 10_000_000, f"first{payer}")
        town.mine(12)  # beyond the reach of any reorganisation here
        self._actions: list[Callable[[], None]] = [
            self.anchor,
            self.acknowledge,
            self.post_run,
            self.pay,
            self.pay,
            self.pay_batch,
            self.pay_order,
            self.post_grants,
            self.apply_grant,
            self.prepay,
            self.transfer,
            self.redeem,
            self.note_and_refund,
            self.supersede,
            self.suspend,
            self.mine,
        ]

    def leave_acknowledging_to_holders(self) -> None:
        """Real holders run: their keys are theirs alone."""
        self._actions.remove(self.acknowledge)

    def act(self) -> None:
        """One random thing."""
        self.counter += 1
        try:
            self.random.choice(self._actions)()
        except (Reverted, IndexError):
            self.refused += 1

    def reorg(self, depth: int) -> None:
        """Replaces the last blocks by empty ones, and forgets what stood in them."""
        head = self.town.reader.head().number
        self.town.rpc.call("anvil_reorg", depth, [])
        kept = head - depth
        self.made.roots = [x for x in self.made.roots if x[0] <= kept]
        self.made.runs = [x for x in self.made.runs if x[0] <= kept]
        self.made.grants = [x for x in self.made.grants if x[0] <= kept]
        self.town.grant_batches = len(self.made.grants)
        for source in self.sources.values():
            sequence, epoch, head_word = self.town.reader.view("ReadingAnchor", "headOf", source)
            self.town.heads[source] = (epoch, sequence, head_word)

    # --- actions ---

    def anchor(self) -> None:
        name = self.random.choice(sorted(self.sources))
        t = self.counter * 3_600
        records: list[RegisterReading | Profile] = [
            RegisterReading(meter, 0, t, self.counter * 10, Unit.LITRE) for meter in METERS
        ]
        values = tuple(self.random.randrange(1_000) for _ in range(4))
        records.append(Profile(METERS[0], 1, t, 900, Unit.WH, values, (Quality.MEASURED,) * 4))
        root = self.town.anchor(name, SourceId(self.sources[name]), records, self.random.choice(KEYS))
        self.made.roots.append((self._here(), root))

    def acknowledge(self) -> None:
        self.town.acknowledge(self.random.choice(self.made.roots)[1])

    def post_run(self) -> None:
        drafts = [
            Draft(f"{self.counter}/{i}", [(s, self.random.randrange(1, 5_000)) for s in (1, 2, 3)]) for i in range(4)
        ]
        is_activated = self.random.random() < 0.9
        run = self.town.post_run(drafts, self.random.choice(KEYS), is_activated=is_activated)
        self.made.runs.append((self._here(), run))

    def pay(self) -> None:
        _, run = self.random.choice(self.made.runs)
        maximum = self.random.choice((1, 777, 1 << 50))
        self.town.pay(self.random.choice(PAYERS), run, self.random.randrange(len(run.bills)), maximum)

    def pay_batch(self) -> None:
        _, run = self.random.choice(self.made.runs)
        chosen = self.random.sample(range(len(run.bills)), k=min(3, len(run.bills)))
        reference = Reference(bytes_of(f"batch{self.random.randrange(20)}"))
        self.town.pay_batch(reference, run, {i: self.random.choice((500, 1 << 40)) for i in chosen})

    def pay_order(self) -> None:
        _, run = self.random.choice(self.made.runs)
        index = self.random.randrange(len(run.bills))
        self.town.pay_order("resident", run, index, self.random.choice((999, 1 << 50)), nonce=self.counter)

    def post_grants(self) -> None:
        _, run = self.random.choice(self.made.runs)
        grants = [
            (run.key(i), self.random.randrange(3), self.random.randrange(1, 2_000)) for i in range(len(run.bills))
        ]
        batch, blobs = self.town.post_grants(grants, f"act{self.counter}")
        self.made.grants.append((self._here(), int(batch), blobs, grants))

    def apply_grant(self) -> None:
        _, batch, blobs, grants = self.random.choice(self.made.grants)
        index = self.random.randrange(len(grants))
        key = grants[index][0]
        run = next(run for _, run in self.made.runs if run.run == key.run)
        self.town.apply_grant(GrantBatchId(batch), blobs, index, run, key.index)

    def prepay(self) -> None:
        supplier = SupplierId(self.random.randrange(1, 4))
        self.town.prepay("agent", supplier, self.random.randrange(1, 900), Tag(bytes_of(f"tag{self.counter}")))

    def transfer(self) -> None:
        sender, to = self.random.choice(PAYERS), self.random.choice((*PAYERS, "stranger", "water"))
        self.town.transfer(sender, to, self.random.randrange(5_000))

    def redeem(self) -> None:
        self.town.redeem(self.random.choice(SUPPLIERS), self.random.randrange(1, 500), f"redemption{self.counter}")

    def note_and_refund(self) -> None:
        _, run = self.random.choice(self.made.runs)
        index = self.random.randrange(len(run.bills))
        amounts = [self.random.randrange(line.amount_kopecks + 1) for line in run.bills[index].lines]
        draft = Draft(
            f"note{self.counter}",
            [(line.supplier, amount) for line, amount in zip(run.bills[index].lines, amounts, strict=True)],
            BillKind.CREDIT_NOTE,
            original=run.key(index),
        )
        note = self.town.post_run([draft], KEYS[0])
        for line, supplier in enumerate(SUPPLIERS):
            self.town.refund(supplier, note.proven(0), run.proven(index), line, nonce=1_000 * self.counter + line)

    def supersede(self) -> None:
        _, run = self.random.choice(self.made.runs)
        index = self.random.randrange(len(run.bills))
        draft = Draft(f"instead{self.counter}", [(s, self.random.randrange(1, 900)) for s in (1, 2, 3)])
        other = self.town.post_run([draft], KEYS[1], superseded=[run.key(index)])
        self.made.runs.append((self._here(), other))

    def suspend(self) -> None:
        supplier = SupplierId(self.random.randrange(1, 4))
        is_active = self.random.random() < 0.7
        self.town.send("operator", "Registry", calls.encode_set_supplier_active(supplier, is_active))

    def mine(self) -> None:
        self.town.mine(self.random.randrange(1, 6))

    def _here(self) -> int:
        return self.town.reader.head().number
