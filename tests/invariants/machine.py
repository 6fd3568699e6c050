"""Random plays by hypothesis: any operation at any moment, right ones, stale ones and stolen ones."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from contracts.wire.ids import BillKey, Hash, Reference
from contracts.wire.leaf import BillKind, Credit, encode_bill
from tests.invariants import offices
from tests.invariants.books import Bill, Grant
from tests.invariants.checks_money import check_authority, check_custody, check_lines, check_sums
from tests.invariants.checks_rights import check_chains, check_grants, check_payouts
from tests.invariants.compare import CUSTODY
from tests.invariants.history import History, read_history
from tests.invariants.play import PARTIES, SUPPLIERS, Order, Play, PlayedTown
from tests.ledger.indexed import Indexed
from tests.ledger.town import EVER, PostedRun, bytes_of

CHECKS: tuple[Callable[[History], list[str]], ...] = (
    check_sums, check_custody, check_lines, check_chains, check_grants, check_authority, check_payouts,
)  # fmt: skip
DAY_S = 86_400
MANY = st.integers(0, 3_000)
MAXIMA = st.one_of(st.sampled_from((EVER >> 16, 0, 1, 2)), st.integers(1, 6_000))
LINES = st.lists(st.tuples(st.integers(1, len(SUPPLIERS)), MANY), min_size=1, max_size=4)


@dataclass
class Stage:
    """The chain at the moment that every example starts from."""

    play: Play
    snapshot: str

    @classmethod
    def set(cls, town: PlayedTown) -> Stage:
        """Two runs, prepayments that bills name, grants, sources."""
        play = Play.open(town)
        for name in ("c1", "c2"):
            offices.add_source(play, name)
        play.prepay("resident", 1, 500, "tag 1")
        play.prepay("agent", 3, 900, "tag 2")
        credits = [
            Credit(0, 300, play.prepayment("resident", "tag 1")),  # type: ignore[arg-type]
            Credit(2, 1_300, play.prepayment("agent", "tag 2")),  # type: ignore[arg-type]
        ]
        lines = [(1, 1_000), (2, 777), (3, 1_400)]
        plain = [lines, [(4, 333)], [(1, 5), (2, 0), (3, 6), (1, 7)], [(2, 1_999), (4, 1)]]
        run = play.propose([*plain, lines, [(3, 0)]], credits=[(), (), (), (), tuple(credits)])
        play.activate(run)
        now = town.reader.head().timestamp
        grants = [Grant(run.key(i), 0, 600, now + DAY_S * (i + 1) // 2) for i in range(len(run.bills))]
        play.post_grants(grants, 2_000)
        return cls(play, town.rpc.call("evm_snapshot"))

    def again(self) -> Play:
        """The chain put back, and a play of its own to go on with."""
        self.play.town.rpc.call("evm_revert", self.snapshot)
        self.snapshot = self.play.town.rpc.call("evm_snapshot")
        return self.play.fork()


class TownMachine(RuleBasedStateMachine):
    """Every rule is one operation on chain and model; the invariants are read off the chain at the end."""

    stage: Stage
    seen: list[Play]

    def __init__(self) -> None:
        super().__init__()
        self.play = self.stage.again()
        self.seen.append(self.play)

    # --- choosing ---

    def run(self, data: Any) -> PostedRun:
        place: int = data.draw(st.integers(0, len(self.play.runs) - 1))
        return self.play.runs[place]

    def key(self, data: Any) -> BillKey:
        run = self.run(data)
        return run.key(data.draw(st.integers(0, len(run.bills) - 1)))

    def bill(self, key: BillKey) -> Bill:
        return self.play.model.runs[key.run].bills[key.index]

    def party(self, data: Any) -> str:
        return str(data.draw(st.sampled_from(PARTIES)))

    # --- runs ---

    @rule(amounts=st.lists(LINES, min_size=1, max_size=3), data=st.data())
    def post_run(self, amounts: list[list[tuple[int, int]]], data: Any) -> None:
        known = [prepayment for _, prepayment in self.play.prepayments]
        credits = [
            [Credit(0, data.draw(st.integers(0, lines[0][1])), data.draw(st.sampled_from(known)))]
            if data.draw(st.booleans())
            else []
            for lines in amounts
        ]
        run = self.play.propose(amounts, credits=credits)
        if data.draw(st.integers(0, 9)):
            self.play.activate(run)

    @rule(amounts=LINES, data=st.data(), races=st.booleans())
    def supersede(self, amounts: list[tuple[int, int]], data: Any, races: bool) -> None:
        key = self.key(data)
        run = self.play.propose([amounts], superseded=[key])
        if races:
            self.play.pay("resident", key, data.draw(MAXIMA))
        self.play.activate(run, [key])

    # --- payments ---

    @rule(data=st.data(), maximum=MAXIMA)
    def pay(self, data: Any, maximum: int) -> None:
        self.play.pay(self.party(data), self.key(data), maximum)

    @rule(data=st.data())
    def pay_forged(self, data: Any) -> None:
        key = self.key(data)
        if not self.play.model.runs[key.run].is_active or self.play.model.now < self.play.model.paused_until:
            return
        run = self.play.run_of(key)
        proven, blob = run.proven(key.index), encode_bill(run.bills[key.index])
        count = 1 << len(proven.proof)
        forged = {
            "amount": (replace(proven, blob=blob[:35] + bytes((blob[35] ^ 1,)) + blob[36:]), "ChargeBookWrongProof"),
            "alias": (replace(proven, index=key.index + count), "ChargeBookNoSuchBill"),
            "depth": (replace(proven, proof=(*proven.proof, Hash(blob[:32]))), "ChargeBookNoSuchBill"),
        }
        self.play.pay_forged("resident", key, *forged[data.draw(st.sampled_from(sorted(forged)))])

    @rule(data=st.data(), reference=st.integers(1, 4), is_stolen=st.sampled_from((False, False, False, True)))
    def pay_batch(self, data: Any, reference: int, is_stolen: bool) -> None:
        run = self.run(data)
        chosen = data.draw(st.sets(st.integers(0, len(run.bills) - 1), min_size=1))
        maxima = {index: data.draw(MAXIMA) for index in chosen}
        for _ in range(data.draw(st.integers(1, 2))):  # twice: the same again
            self.play.pay_batch(
                Reference(bytes_of(f"batch {reference}")), run, maxima, "stranger" if is_stolen else "agent"
            )

    @rule(data=st.data(), maximum=MAXIMA, nonce=st.integers(0, 300))
    def pay_order(self, data: Any, maximum: int, nonce: int) -> None:
        signer = data.draw(st.sampled_from(("resident", "resident", "resident", "stranger")))
        until = data.draw(st.sampled_from((EVER, EVER, 1)))
        order = Order("resident", self.key(data), maximum, nonce, until, signer)
        self.play.orders.append(order)
        self.play.pay_order(order)

    @rule(data=st.data())
    def replay_order(self, data: Any) -> None:
        if self.play.orders:
            self.play.pay_order(self.play.orders[data.draw(st.integers(0, len(self.play.orders) - 1))])

    @rule(data=st.data(), nonce=st.integers(301, 600))
    def steal_order(self, data: Any, nonce: int) -> None:
        order = Order("resident", self.key(data), 500, nonce, EVER, "resident")
        if data.draw(st.booleans()):
            self.play.pay_order(order, maximum=501)
        else:
            self.play.pay_order(order, key=self.key(data))

    @rule(data=st.data(), nonces=st.lists(st.integers(601, 620), min_size=1, max_size=3))
    def pay_orders(self, data: Any, nonces: list[int]) -> None:
        self.play.pay_orders(
            [Order("agent", self.key(data), data.draw(MAXIMA), nonce, EVER, "agent") for nonce in nonces]
        )

    # --- prepayments ---

    @rule(data=st.data(), supplier=st.integers(1, 5), amount=MANY, tag=st.integers(1, 6))
    def prepay(self, data: Any, supplier: int, amount: int, tag: int) -> None:
        self.play.prepay(self.party(data), supplier, amount, f"tag {tag}")

    @rule(data=st.data())
    def net(self, data: Any) -> None:
        self.play.net(self.key(data))

    # --- grants ---

    @rule(data=st.data(), maxima=st.lists(st.integers(1, 3_000), min_size=1, max_size=3), short=st.integers(0, 500))
    def post_grants(self, data: Any, maxima: list[int], short: int) -> None:
        now = self.play.model.now
        grants = [
            Grant(
                self.key(data),
                data.draw(st.integers(0, 3)),
                maximum,
                data.draw(st.sampled_from((EVER >> 24, now + DAY_S // 2))),
            )
            for maximum in maxima
        ]
        self.play.post_grants(grants, max(1, sum(maxima) - short))

    @rule(data=st.data(), is_right=st.sampled_from((True, True, True, False)), times=st.integers(1, 2))
    def apply_grant(self, data: Any, is_right: bool, times: int) -> None:
        posted = self.play.grants[data.draw(st.integers(0, len(self.play.grants) - 1))]
        index = data.draw(st.integers(0, len(posted.grants) - 1))
        key = posted.grants[index].bill if is_right else self.key(data)
        self.play.apply_grants([(posted, index, key)] * times)

    @rule(data=st.data(), by=st.sampled_from(("welfare", "welfare", "stranger")), is_whole=st.booleans())
    def reverse_grants(self, data: Any, by: str, is_whole: bool) -> None:
        posted = self.play.grants[data.draw(st.integers(0, len(self.play.grants) - 1))]
        if is_whole:
            self.play.reverse_batch(posted, by)
        else:
            self.play.reverse_grant(posted, data.draw(st.integers(0, len(posted.grants) - 1)), by)

    # --- notes ---

    @rule(data=st.data(), kind=st.sampled_from((BillKind.CREDIT_NOTE, BillKind.CREDIT_NOTE, BillKind.DEBIT_NOTE)))
    def note(self, data: Any, kind: BillKind) -> None:
        """A note, and whatever of it can be carried out at once."""
        key = self.key(data)
        run, bill = self.play.run_of(key), self.bill(key)
        amounts = [data.draw(st.integers(0, line.charged + 5)) for line in bill.lines]
        note = self.play.propose_note(run, key.index, amounts, kind)
        self.play.activate(note)
        for line in range(len(bill.lines)):
            self._refund(data, note.key(0), key, line)

    @rule(data=st.data())
    def refund(self, data: Any) -> None:
        """Any line of any note on any bill: mostly what it must not do."""
        notes = [run.key(0) for run in self.play.runs if run.bills[0].kind is BillKind.CREDIT_NOTE]
        note = data.draw(st.sampled_from(notes)) if notes else self.key(data)
        named = self.play.run_of(note).bills[note.index].original
        key = named if named is not None and data.draw(st.booleans()) else self.key(data)
        lines = min(len(self.bill(note).lines), len(self.bill(key).lines))
        self._refund(data, note, key, data.draw(st.integers(0, lines - 1)))

    def _refund(self, data: Any, note: BillKey, key: BillKey, line: int) -> None:
        model = self.play.model
        payout = model.suppliers[self.bill(key).lines[line].supplier].payout
        names = [name for name in (*SUPPLIERS, "new wallet") if self.play.town.account(name) == payout]
        signer = data.draw(st.sampled_from([*names * 5, "stranger"]))
        if len(self.bill(note).lines) == len(self.bill(key).lines):
            self.play.refund(note, key, line, signer, data.draw(st.sampled_from(("welfare",) * 5 + ("stranger",))))

    # --- bank, guardian, clock ---

    @rule(data=st.data(), amount=MANY)
    def transfer(self, data: Any, amount: int) -> None:
        addresses = self.play.town.reader.deployment.addresses
        to = data.draw(st.sampled_from([addresses[name] for name in CUSTODY] + [self.play.town.account("stranger")]))
        self.play.transfer(self.party(data), to, amount)

    @rule(name=st.sampled_from((*SUPPLIERS, *PARTIES)), amount=MANY, redemption=st.integers(1, 2))
    def redeem(self, name: str, amount: int, redemption: int) -> None:
        self.play.redeem(name, amount, f"redemption {redemption}")

    @rule(deposit=st.integers(1, 2), name=st.sampled_from(("resident", "stranger")))
    def mint(self, deposit: int, name: str) -> None:
        self.play.mint(name, 1_000, f"deposit {deposit}")

    @rule(name=st.sampled_from(PARTIES[:3]), amount=st.sampled_from((0, 1_000, 1 << 60, 1 << 60)))
    def allow(self, name: str, amount: int) -> None:
        self.play.allow(name, amount)

    @rule(data=st.data(), is_frozen=st.booleans(), by=st.sampled_from(("bank", "bank", "bank", "operator")))
    def freeze(self, data: Any, is_frozen: bool, by: str) -> None:
        name = data.draw(st.sampled_from((*SUPPLIERS, *PARTIES)))
        self.play.set_frozen(name, is_frozen, by)

    @rule(name=st.sampled_from((*SUPPLIERS, *PARTIES)), amount=MANY, by=st.sampled_from(("bank", "bank", "guardian")))
    def seize(self, name: str, amount: int, by: str) -> None:
        if by == "bank":
            self.play.set_frozen(name, True)
        self.play.seize(name, "court", amount, by, "act" if amount % 4 else None)
        self.play.set_frozen(name, False)

    @rule(supplier=st.integers(1, len(SUPPLIERS)), is_active=st.booleans())
    def suspend(self, supplier: int, is_active: bool) -> None:
        self.play.set_active(supplier, is_active)

    @rule(seconds=st.sampled_from((60, DAY_S // 4, DAY_S)))
    def wait(self, seconds: int) -> None:
        self.play.jump(seconds)

    @rule(
        by=st.sampled_from(("guardian", "guardian", "operator")), length=st.sampled_from((0, 0, 3_600)), data=st.data()
    )
    def pause(self, by: str, length: int, data: Any) -> None:
        """Something is tried in the pause; then it is lifted."""
        if self.play.pause(self.play.model.now + length if length else 0, by) and length:
            self.pay_order(data, 10, data.draw(st.integers(700, 900)))
            self.play.pause(0)

    # --- payouts and chains ---

    @rule(data=st.data(), supplier=st.integers(1, len(SUPPLIERS)), step=st.integers(0, 4))
    def payout(self, data: Any, supplier: int, step: int) -> None:
        """A whole change, or a single step out of its turn, or by somebody else."""
        name, wallet = SUPPLIERS[supplier - 1], data.draw(st.sampled_from(("new wallet", "other wallet")))
        by = data.draw(st.sampled_from((f"{name}-key", f"{name}-new-key", "operator", "guardian", "stranger")))
        if step == 0:
            offices.propose_payout(self.play, supplier, wallet, by)
        elif step == 1:
            offices.approve_payout(self.play, supplier, wallet, by)
        elif step == 2:
            offices.execute_payout(self.play, supplier)
        elif step == 3:
            offices.cancel_payout(self.play, supplier, by)
        else:
            offices.propose_payout(self.play, supplier, "new wallet", f"{name}-key")
            offices.approve_payout(self.play, supplier, "new wallet", "operator")
            if data.draw(st.booleans()):
                self.play.jump(60)
            offices.execute_payout(self.play, supplier)

    @rule(supplier=st.integers(1, len(SUPPLIERS)), by=st.sampled_from((offices.ADMIN, "operator")), waits=st.booleans())
    def lost_key(self, supplier: int, by: str, waits: bool) -> None:
        offices.propose_key(self.play, supplier, f"{SUPPLIERS[supplier - 1]}-new-key", by)
        if waits:
            self.play.jump(90)
        offices.execute_key(self.play, supplier)

    @rule(source=st.integers(1, 2), fault=st.sampled_from(("", "", "", "skip", "replay", "previous", "signer")))
    def anchor(self, source: int, fault: str) -> None:
        offices.anchor(
            self.play,
            source,
            signer="stranger" if fault == "signer" else None,
            skip={"skip": 1, "replay": -1}.get(fault, 0) if self.play.model.heads[source].sequence else 0,
            previous=bytes_of("fork", 24) if fault == "previous" else None,
        )

    @rule(
        source=st.integers(1, 2),
        signers=st.sampled_from((("", "operator"), ("stranger", "operator"), ("", "stranger"))),
    )
    def reset(self, source: int, signers: tuple[str, str]) -> None:
        offices.reset_epoch(self.play, source, signers[0] or self.play.model.heads[source].key, signers[1])

    @rule(source=st.integers(1, 2), by=st.sampled_from(("operator", "stranger")))
    def rotate(self, source: int, by: str) -> None:
        offices.rotate(self.play, source, f"c{source}-{self.play.fresh()}", by)

    # --- the end of a play ---

    def teardown(self) -> None:
        play = self.play
        history = read_history(play.town.reader, play.town.files)
        wrong = [line for check in CHECKS for line in check(history)]
        assert not wrong, wrong[:3]
        with tempfile.TemporaryDirectory() as folder:
            rebuilds(play, Path(folder))


def rebuilds(play: Play, folder: Path) -> Indexed:
    """Invariant 6: the ledger says of every bill what the model says, and equals one rebuilt from logs and files."""
    indexed = Indexed(play.town, folder)
    ledger = indexed.sync()
    for number, run in play.model.runs.items():
        for index, bill in enumerate(run.bills):
            if run.is_active:
                view = ledger.bill(BillKey(number, index))  # type: ignore[arg-type]
                assert view is not None
                assert view.state == bill.state, (number, index)
                ours = [(x.paid, x.granted, x.netted, x.written_off, x.refunded) for x in bill.lines]
                theirs = [
                    (x.paid_kopecks, x.granted_kopecks, x.netted_kopecks, x.written_off_kopecks, x.refunded_kopecks)
                    for x in view.lines
                ]
                assert theirs == ours, (number, index)
    indexed.assert_right()
    return indexed


__all__ = ["Stage", "TownMachine", "rebuilds"]
