"""The collector: one loop over the desks and the senders. It may be killed at any point and started again."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from billing.agent_desk import AgentDesk
from billing.debt.request_desk import DebtRequestDesk
from billing.grant_desk import GrantDesk
from billing.office import Office
from billing.order_desk import OrderDesk
from billing.reversal_desk import ReversalDesk
from billing.run_desk import RunDesk
from contracts.client.rpc import NodeError
from contracts.client.sender import TransactionRefused

_log = structlog.get_logger()

PAUSE_S = 0.15
LONGEST_PAUSE_S = 5.0


class Collector:
    """Carries out what the inbox holds."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._runs = RunDesk(office)
        self._grants = GrantDesk(office)
        self._reversals = ReversalDesk(office)
        self._orders = OrderDesk(office)
        self._debts = DebtRequestDesk(office)
        self._agent = AgentDesk(office)

    def step(self) -> None:
        """One round of every desk and sender. Raises NodeError where the node does not answer, or is behind."""
        now = self._office.look()
        self._send()
        self._runs.step(now)
        self._grants.step()
        self._reversals.step()
        self._orders.step()
        self._debts.step(now)
        self._agent.step()
        self._send()

    def _send(self) -> None:
        """Every sender after a new block; in between those alone that were given something."""
        for name in sorted(self._office.waiting_senders):
            try:
                self._office.senders[name].advance()
                self._office.waiting_senders.discard(name)
            except TransactionRefused as refused:
                # One key's trouble (a node that takes no more, say) must not stop the others.
                _log.warning("collector.refused", error=str(refused))

    def run(self, stopped: Callable[[], bool]) -> None:
        """Rounds until ``stopped``. While the node is silent or behind they come further and further apart.

        Raises what no further round can mend: WrongChain, ChainWentBack, KeyUsedElsewhere, AnotherSender.
        """
        pause = PAUSE_S
        while not stopped():
            try:
                self.step()
                pause = PAUSE_S
            except NodeError as error:
                pause = min(2 * pause, LONGEST_PAUSE_S)
                _log.warning("collector.node", error=str(error), retry_s=pause)
            time.sleep(pause)
