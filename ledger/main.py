"""The indexer's process: follows the chain, fetches the files it names, and acknowledges readings as a holder.

    python -m ledger.main --home DIR --rpc URL [--oracle-url URL]

May be killed at any point: what stands in the database is always a whole state, and the next start goes on from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.client.rpc import NodeError
from contracts.client.sender import Sender, TransactionRefused
from contracts.wire.ids import Address, Hash
from ledger.acknowledge import Acknowledger
from ledger.errors import ChainMoved
from ledger.follow import Follower
from ledger.ingest import Ingestor
from ledger.models import acknowledgements, ingested
from ledger.process import POLL_S, Setting, run_to_the_end
from ledger.store import database_url, is_overtaken, open_database

log = structlog.get_logger(__name__)


class Indexer:
    """The ledger's loop, one round at a time."""

    def __init__(self, engine: Engine, follower: Follower, ingestor: Ingestor, acknowledger: Acknowledger) -> None:
        self._engine = engine
        self._follower = follower
        self._ingestor = ingestor
        self._acknowledger = acknowledger

    def round(self, own: Address) -> bool:
        """Follows, ingests, acknowledges; says whether there is nothing more to do for now.

        Raises NodeError, ChainMoved, and LedgerFault where a person is needed.
        """
        step = self._follower.step()
        is_back = step.rolled_back_to is not None
        is_changed = is_back or step.events > 0
        added = self._ingestor.run() if is_changed or not self._ingestor.is_complete else 0
        if added or is_back:
            self._acknowledger.offer(_kept_and_unsaid(self._engine, own))
        self._acknowledger.tick()
        return step.is_caught_up and not is_back

    def resume(self, own: Address) -> None:
        """Offers what was ingested before a stop and not acknowledged."""
        self._acknowledger.offer(_kept_and_unsaid(self._engine, own))


def _kept_and_unsaid(engine: Engine, own: Address) -> list[Hash]:
    """Roots of readings whose file is here and that this holder has not acknowledged on the chain as it stands."""
    a, i = acknowledgements.c, ingested.c
    said = select(1).where(a.root == i.root, a.holder == own).exists()
    with engine.begin() as connection:
        return [Hash(root) for root in connection.execute(select(i.root).where(i.kind == "readings", ~said)).scalars()]


def run(setting: Setting) -> None:
    """Runs until told to stop. A node that is away is waited for; a fault ends the process."""
    engine = open_database(database_url(setting.home))
    reader, deployment = setting.reader, setting.deployment
    sender = Sender(engine, reader.rpc, deployment.chain_id, setting.signer("holder-ledger"))
    indexer = Indexer(
        engine,
        Follower(engine, reader, deployment.first_block, reads_ahead=True),
        Ingestor(
            engine, FileStore(setting.home / "ledger" / "files"), setting.files, KeyRing(setting.home / "keyring.db")
        ),
        Acknowledger(engine, sender, deployment.addresses["ReadingAnchor"]),
    )
    indexer.resume(sender.address)
    is_away = False
    while not setting.stop.is_set():
        try:
            is_idle = indexer.round(sender.address)
            is_away = False
        except ChainMoved as moved:
            log.info("chain moved", reason=str(moved))
            is_idle = False
        except OperationalError as error:
            if not is_overtaken(error):
                raise
            log.info("another process wrote meanwhile; going on")
            is_idle = False
        except (NodeError, TransactionRefused) as error:
            if not is_away:
                log.warning("node away; going on once it is back", reason=str(error))
            is_away = is_idle = True
        if is_idle:
            setting.stop.wait(POLL_S)


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    run_to_the_end(run, "ledger.main", "The ledger's indexer.", argv)


if __name__ == "__main__":
    main()
