"""A town's processes: the chain, the deployment on it, and the services over it."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx

from contracts.client.deployments import Deployment
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from scripts.chain import ChainSettings, Pacer, anvil, chain_answers, last_moment
from scripts.deploy import Settings, deploy
from scripts.home import Home
from scripts.processes import PortTaken, Supervisor, free_port, port_is_free
from scripts.town.services import Ports, service_specs

FILLING_BLOCK_S = 0.02
SERVING_BLOCK_S = 1.0
OWNERS = ("owner-1", "owner-2", "owner-3")
"""Keys of the multisig."""


class ClockTooEarly(ValueError):
    """The months to be billed have not ended by the clock of the chain."""

    def __init__(self, found: int, needed: int) -> None:
        super().__init__(
            f"the chain's clock stands at {datetime.fromtimestamp(found, UTC):%Y-%m-%d}, and the town's months end at "
            f"{datetime.fromtimestamp(needed, UTC):%Y-%m-%d}; bill earlier months (--from) or fewer (--months)"
        )


class Running:
    """Starts and stops what a town is made of. Use as a context: leaving it ends every process."""

    def __init__(self, home: Home, ports: Ports, keep_state: bool) -> None:
        self.home = home
        self.ports = ports
        self.supervisor = Supervisor(home.root)
        self._keep_state = keep_state
        self.pacer: Pacer | None = None

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.pacer:
            self.pacer.stop()
        self.supervisor.stop_all()

    def start_chain(self, starts_at: int, block_time_s: float) -> None:
        """Starts Anvil, where the saved chain ended or at ``starts_at``, and waits until it answers."""
        state = self.home.chain_state if self._keep_state else None
        ended_at = last_moment(state) if state else None
        begins = starts_at if ended_at is None else ended_at + 1
        self.supervisor.start(anvil(ChainSettings(self.ports.rpc, begins, state=state)))
        self.supervisor.until(lambda: chain_answers(self.ports.rpc_url), "the chain's first block", 30, 0.05)
        self.pacer = Pacer(self.ports.rpc_url, block_time_s)

    def use_chain(self, needs_time: int) -> None:
        """Takes the chain that already runs at the ports' node, with a clock of its own. Raises ClockTooEarly where
        its latest block lies before ``needs_time`` (seconds UTC), NodeError."""
        latest = Rpc(self.ports.rpc_url).call("eth_getBlockByNumber", "latest", False)
        if int(latest["timestamp"], 16) < needs_time:
            raise ClockTooEarly(int(latest["timestamp"], 16), needs_time)

    def ensure_deployed(self) -> Deployment:
        """Deploys the contracts once; afterwards checks that the chain is the one they were deployed to."""
        rpc = Rpc(self.ports.rpc_url)
        if self.home.deployment.exists():
            deployment = Deployment.load(self.home.deployment)
            deployment.check(rpc)
            return deployment
        deployment = deploy(self.ports.rpc_url, deploy_keys(self.home), Settings())
        deployment.save(self.home.deployment)
        return deployment

    def reader(self) -> Reader:
        """What the chain says."""
        return Reader(Rpc(self.ports.rpc_url), Deployment.load(self.home.deployment))

    def start_services(self, names: tuple[str, ...]) -> None:
        """Starts services and waits until those that listen answer."""
        specs = service_specs(self.home, self.ports)
        for name in names:
            self.supervisor.start(specs[name])
        if "oracle" in names:
            self.supervisor.until(lambda: _answers(self.ports.oracle_url), "the oracle's intake", 60)
        if "api" in names:
            self.supervisor.until(lambda: _answers(self.ports.web_url), "the web app", 60)

    def pace(self, block_time_s: float | None) -> None:
        """Changes how often a block is made; None makes none until told. Raises ValueError without a chain."""
        if self.pacer is None:
            raise ValueError("the chain has not been started")
        self.pacer.set(block_time_s)


def choose_ports(web: int | None) -> Ports:
    """Ports for a town: the usual ones where they are free; the web app's is kept to. Raises PortTaken."""
    if web is not None and not port_is_free(web):
        raise PortTaken(web, "the web app")
    rpc = 8545 if web is not None and port_is_free(8545) else free_port()
    oracle = 8001 if web is not None and port_is_free(8001) else free_port()
    return Ports(rpc, oracle, web or free_port())


def deploy_keys(home: Home) -> dict[str, bytes]:
    """The keys that a deployment knows by role."""
    names = (
        *("deployer", "operator", "guardian", "oracle", "biller", "agent", "bank", "welfare"),
        *("holder-ledger", "holder-archive"),
        *OWNERS,
    )
    return {name: home.key(name) for name in names}


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=2, trust_env=False)
    except httpx.TransportError:
        return False
    return True
