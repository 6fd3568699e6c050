"""Posts welfare's batches of grants from its own wallet, and applies each grant to the bill it is for."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Row, insert, select, update

from billing.desk import Desk
from billing.inbox import Item, State
from billing.office import RELAY, WELFARE, NoSuchBill, Office, transaction
from billing.requests import GrantItem, GrantsRequest
from billing.run import RunStage
from billing.schema import grant_batches, grants
from contracts.client.keyring import KeyDestroyed
from contracts.client.sender import Outcome
from contracts.wire.calls import encode_apply_grants, encode_approve, encode_post_grants
from contracts.wire.canonical import canonical_json, content_hash
from contracts.wire.events import GrantApplied, GrantsPosted
from contracts.wire.files import LeafLine, encode_file
from contracts.wire.ids import BillKey, GrantBatchId, Hash, KeyId
from contracts.wire.leaf import BillKind, Grant, encode_grant, grant_commit
from contracts.wire.merkle import Tree, leaf_hash
from contracts.wire.sealed import seal
from contracts.wire.structs import GrantClaim

_log = structlog.get_logger()

PREPARED, ALLOWING, POSTING, APPLYING, OVER, FAILED = (
    "prepared", "allowing", "posting", "applying", "over", "failed",
)  # fmt: skip
WAITING, CLAIMED, APPLIED, REFUSED = "waiting", "claimed", "applied", "refused"
CLAIMS_AT_ONCE = 20
NOTHING_MOVED = (
    "nothing was open on its line, or its supplier can't be paid now; it can be applied again until it expires"
)

BatchRow = Row[tuple[object, ...]]
GrantRow = Row[tuple[object, ...]]
Fate = tuple[str, str | None]
"""A grant's state and the reason for it."""


class NoLine(LookupError):
    """A grant is for a service that the account's bill has no line for, or there is no bill."""

    def __init__(self, grant: GrantItem) -> None:
        super().__init__(
            f"account {grant.account} has no open line for {grant.service.name.lower()} in {grant.period}; "
            "bill the period first, or leave the grant out"
        )
        self.grant = grant


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A grant to be posted."""

    account: str
    bill: BillKey
    line: int
    maximum: int
    blob: bytes
    key_id: KeyId
    sealed: bytes


class GrantDesk(Desk):
    """Grants: posted by the welfare wallet's key, applied by the relay's."""

    def __init__(self, office: Office) -> None:
        super().__init__(office)
        self._writes = office.engine.execution_options(writes=True)

    def step(self) -> None:
        """One round."""
        for item in self.inbox.unsettled(GrantsRequest.kind, State.ACCEPTED):
            self._prepare(item)
        batches = self._batches()
        # Every claim takes from the allowance as it stands: a new one is worked out while none is under way.
        quiet = True
        for row in batches:
            quiet &= row.state != APPLYING or self._apply(row)
        posting = next((row for row in batches if row.state in (ALLOWING, POSTING)), None)
        if posting is not None:
            self._post(posting)
        elif quiet:
            waiting = next((row for row in batches if row.state == PREPARED), None)
            if waiting is not None:
                self._post(waiting)

    def _batches(self) -> Sequence[BatchRow]:
        with self.office.engine.connect() as connection:
            query = select(grant_batches).where(grant_batches.c.state.not_in((OVER, FAILED)))
            return connection.execute(query.order_by(grant_batches.c.id)).all()

    def _set(self, batch: int, **values: object) -> None:
        with self._writes.begin() as connection:
            connection.execute(update(grant_batches).where(grant_batches.c.id == batch).values(**values))

    # --- prepare ---

    def _prepare(self, item: Item) -> None:
        if not isinstance(item.request, GrantsRequest):
            return
        with self.office.engine.connect() as connection:
            known = connection.execute(select(grant_batches.c.id).where(grant_batches.c.item == item.id)).one_or_none()
        if known is None:
            try:
                leaves = [self._leaf(grant) for grant in item.request.grants]
            except (LookupError, KeyDestroyed) as error:
                self.refuse([item], error)
                return
            if not leaves:
                self.inbox.failed([item.id], "empty-batch", "a batch of grants holds at least one grant")
                return
            self._store(item.id, item.request.act, leaves)
        self.inbox.working([item.id])

    def _leaf(self, grant: GrantItem) -> _Leaf:
        bill, line = self._line_of(grant)
        salt = secrets.token_bytes(32)
        decision = canonical_json(
            {
                "account": grant.account,
                "period": str(grant.period),
                "service": grant.service.name.lower(),
                "maximum_kopecks": grant.maximum_kopecks,
                "expires_at": grant.expires_at,
                "decision": grant.decision,
            }
        )
        commit = grant_commit(salt, content_hash(decision))
        blob = encode_grant(Grant(commit, bill, line, grant.maximum_kopecks, grant.expires_at))
        key_id = self.office.register.account(grant.account).key_id
        sealed = seal(self.office.keyring.create(key_id), leaf_hash(blob), salt + decision)
        return _Leaf(grant.account, bill, line, grant.maximum_kopecks, blob, key_id, sealed)

    def _line_of(self, grant: GrantItem) -> tuple[BillKey, int]:
        """The line of the account's bill in force for the service. Raises NoLine."""
        for key, stored, run in reversed(self.office.runs.of_account(grant.account, grant.period)):
            if key is None or run.stage is not RunStage.ACTIVE or stored.kind is not BillKind.BILL:
                continue
            place = stored.services.get(grant.service.name.lower())
            if place is not None:
                return key, place
        raise NoLine(grant)

    def _store(self, item: int, act: str, leaves: Sequence[_Leaf]) -> None:
        ordered = sorted(leaves, key=lambda leaf: leaf.blob[:32])
        root = Tree.of([leaf_hash(leaf.blob) for leaf in ordered]).root
        with self._writes.begin() as connection:
            batch = connection.execute(
                insert(grant_batches)
                .values(item=item, root=root, total=sum(x.maximum for x in ordered), act=act, state=PREPARED)
                .returning(grant_batches.c.id)
            ).scalar_one()
            rows = [
                {
                    "batch": batch,
                    "grant_index": index,
                    "account": leaf.account,
                    "bill": leaf.bill.number,
                    "line": leaf.line,
                    "maximum": leaf.maximum,
                    "blob": leaf.blob,
                    "key_id": leaf.key_id,
                    "sealed": leaf.sealed,
                    "state": WAITING,
                }
                for index, leaf in enumerate(ordered)
            ]
            connection.execute(insert(grants), rows)

    # --- post ---

    def _post(self, row: BatchRow) -> None:
        if row.state == PREPARED:
            try:
                self._write_file(row)
            except KeyDestroyed as error:
                self._give_up(row, error)
                return
            wallet = self.office.senders[WELFARE].address
            committed = int(self.office.reader.view("SubsidyBook", "committedBy", wallet))
            self._set(row.id, state=ALLOWING, allowance=committed + row.total)
            return
        allow, post = f"grants:{row.id}:allow", f"grants:{row.id}:post"
        if row.state == ALLOWING:
            # Welfare allows the Settlement exactly what its live batches can still take.
            data = encode_approve(self.office.address_of("Settlement"), row.allowance)
            self.office.submit(WELFARE, allow, "Rouble", data)
            data = encode_post_grants(Hash(bytes(row.root)), self._count(row.id), row.total, _act_hash(row.act))
            self.office.submit(WELFARE, post, "SubsidyBook", data)
            self._set(row.id, state=POSTING)
            return
        outcome = self.office.outcome(WELFARE, post)
        if outcome is None:
            return
        if not outcome.success:
            if outcome.final:  # before that the fork it failed on may go away again
                self._give_up(row, outcome.error)
            return
        for event in self.office.events_of(outcome):
            if isinstance(event, GrantsPosted) and event.root == bytes(row.root):
                self._set(row.id, state=APPLYING, chain_batch=int(event.batch))
                _log.info("grants.posted", batch=int(event.batch), total_kopecks=row.total)

    def _give_up(self, row: BatchRow, error: Exception | None) -> None:
        self._set(row.id, state=FAILED, reason=str(error))
        self.fail(self.inbox.get_many([row.item]), error, True)

    def _count(self, batch: int) -> int:
        return len(self._grants(batch))

    def _grants(self, batch: int) -> Sequence[GrantRow]:
        with self.office.engine.connect() as connection:
            query = select(grants).where(grants.c.batch == batch).order_by(grants.c.grant_index)
            return connection.execute(query).all()

    def _write_file(self, row: BatchRow) -> None:
        root = Hash(bytes(row.root))
        if self.office.files.get("grants", root) is not None:
            return
        rows = self._grants(row.id)
        lines = []
        for grant in rows:
            blob, key_id = bytes(grant.blob), KeyId(bytes(grant.key_id))
            if self.office.keyring.secret(key_id) is None:
                raise KeyDestroyed(key_id)
            lines.append(LeafLine(leaf_hash(blob), blob, key_id, bytes(grant.sealed)))
        head: dict[str, object] = {
            "kind": "grants",
            "root": "0x" + root.hex(),
            "count": len(rows),
            "total_kopecks": row.total,
            "act": row.act,
            "wallet": "0x" + self.office.senders[WELFARE].address.hex(),
        }
        self.office.files.put("grants", root, encode_file(head, lines))

    # --- apply ---

    def _apply(self, row: BatchRow) -> bool:
        """Claims what waits and follows what was claimed; says whether nothing of it is on its way to a block."""
        rows = self._grants(row.id)
        tree = Tree.of([leaf_hash(bytes(grant.blob)) for grant in rows])
        self._claim(row, [grant for grant in rows if grant.state == WAITING], tree)
        rows = self._grants(row.id)
        fates: dict[int, Fate] = {}
        for claim in sorted({grant.claim for grant in rows if grant.state == CLAIMED}):
            found = self._fates(row, [grant for grant in rows if grant.claim == claim], tree)
            if found is None:
                return False
            fates |= found
        rows = self._grants(row.id)
        over = all(grant.state in (APPLIED, REFUSED) for grant in rows)
        if not any(grant.state == WAITING for grant in rows):
            self._tell(row, rows, fates, over)
        if over:
            self._set(row.id, state=OVER)
        return True

    def _claim(self, row: BatchRow, waiting: Sequence[GrantRow], tree: Tree) -> None:
        ready: list[GrantRow] = []
        for grant in waiting:
            refusal = self._refusal(row, grant, tree)
            if refusal is None:
                ready.append(grant)
            else:
                self._set_grant(row.id, grant.grant_index, state=REFUSED, reason=refusal)
        for start in range(0, len(ready), CLAIMS_AT_ONCE):
            chunk = ready[start : start + CLAIMS_AT_ONCE]
            name = f"grants:{row.id}:apply:{secrets.token_hex(8)}"
            with self._writes.begin() as connection:
                here = (grants.c.batch == row.id) & grants.c.grant_index.in_([g.grant_index for g in chunk])
                connection.execute(update(grants).where(here).values(state=CLAIMED, claim=name))
            self.office.submit(RELAY, name, "Settlement", self._apply_call(row, chunk, tree))

    def _refusal(self, row: BatchRow, grant: GrantRow, tree: Tree) -> str | None:
        try:
            data = self._apply_call(row, [grant], tree)
        except NoSuchBill as error:
            return str(error)
        refusal = self.office.refusal(RELAY, "Settlement", data)
        return None if refusal is None else str(refusal)

    def _apply_call(self, row: BatchRow, chunk: Sequence[GrantRow], tree: Tree) -> bytes:
        return encode_apply_grants(
            [
                GrantClaim(
                    GrantBatchId(row.chain_batch),
                    grant.grant_index,
                    bytes(grant.blob),
                    tuple(tree.proof(grant.grant_index)),
                    self.office.proven(BillKey.from_number(grant.bill)),
                )
                for grant in chunk
            ]
        )

    def _fates(self, row: BatchRow, chunk: Sequence[GrantRow], tree: Tree) -> dict[int, Fate] | None:
        """What a mined claim did to each of its grants, written down once it is final; None before it is mined."""
        claim = chunk[0].claim
        if not self.office.knows(RELAY, claim):  # died between storing and submitting
            self.office.submit(RELAY, claim, "Settlement", self._apply_call(row, chunk, tree))
            return None
        outcome = self.office.outcome(RELAY, claim)
        if outcome is None:
            return None
        moved = self._applied(outcome) if outcome.success else {}
        fates: dict[int, Fate] = {}
        for grant in chunk:
            if grant.grant_index in moved:
                fates[grant.grant_index] = (APPLIED, None)
            elif outcome.success:
                fates[grant.grant_index] = (REFUSED, NOTHING_MOVED)
            elif len(chunk) > 1:
                # One of them spoilt the call between trial and block: each is tried again by itself.
                fates[grant.grant_index] = (WAITING, None)
            else:
                fates[grant.grant_index] = (REFUSED, str(outcome.error))
        if outcome.final:
            for index, (state, reason) in fates.items():
                claimed = None if state == WAITING else claim
                self._set_grant(row.id, index, state=state, reason=reason, claim=claimed)
        return fates

    def _applied(self, outcome: Outcome) -> dict[int, int]:
        return {e.index: e.amount for e in self.office.events_of(outcome) if isinstance(e, GrantApplied)}

    def _set_grant(self, batch: int, index: int, **values: object) -> None:
        with self._writes.begin() as connection:
            here = (grants.c.batch == batch) & (grants.c.grant_index == index)
            connection.execute(update(grants).where(here).values(**values))

    def _tell(self, row: BatchRow, rows: Sequence[GrantRow], fates: dict[int, Fate], final: bool) -> None:
        item = self.inbox.get(row.item)
        if item is None or (item.state is State.DONE and not final):
            return
        posted = self.office.outcome(WELFARE, f"grants:{row.id}:post")
        known = [(grant, fates.get(grant.grant_index, (grant.state, grant.reason))) for grant in rows]
        result: dict[str, object] = {
            "batch": row.chain_batch,
            "grants": len(rows),
            "refused": {str(BillKey.from_number(g.bill)): reason for g, (state, reason) in known if state == REFUSED},
            "root": "0x" + bytes(row.root).hex(),
            **(transaction(posted) if posted else {}),
        }
        self.inbox.done([row.item], result, final)


def _act_hash(act: str) -> Hash:
    return content_hash(act.encode())
