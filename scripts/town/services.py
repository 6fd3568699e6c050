"""The services of a town as child processes: what each is called with."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.home import Home
from scripts.processes import Spec

SERVICE_ENV = {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""The environment of a service: one thread of arithmetic each, and nothing kept back of what it says."""
ORDER = ("oracle", "ledger", "holder", "billing", "api")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the chain, the oracle's intake and the web app listen, on 127.0.0.1."""

    rpc: int
    oracle: int
    web: int

    @property
    def rpc_url(self) -> str:
        """The node."""
        return f"http://127.0.0.1:{self.rpc}"

    @property
    def oracle_url(self) -> str:
        """The oracle's intake and its files."""
        return f"http://127.0.0.1:{self.oracle}"

    @property
    def web_url(self) -> str:
        """The API and the pages."""
        return f"http://127.0.0.1:{self.web}"


def service_specs(home: Home, ports: Ports) -> Mapping[str, Spec]:
    """How to start each service, by name, in the order they start."""
    oracle = ("--port", str(ports.oracle))
    files = ("--oracle-url", ports.oracle_url)
    modules: dict[str, tuple[str, tuple[str, ...]]] = {
        "oracle": ("oracle.main", oracle),
        "ledger": ("ledger.main", files),
        "holder": ("ledger.holder", files),
        "billing": ("billing.main", ()),
        "api": ("api.main", ("--port", str(ports.web))),
    }
    common = ("--home", str(home.root), "--rpc", ports.rpc_url)
    return {
        name: Spec(name, (sys.executable, "-m", module, *common, *more), env=SERVICE_ENV)
        for name, (module, more) in modules.items()
    }
