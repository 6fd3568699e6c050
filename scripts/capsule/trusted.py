"""Trust files: whom the reader of a town's capsules is asked to believe."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.client.deployments import Deployment
from contracts.wire.capsule import Trust
from contracts.wire.ids import Address


def trust_in(deployment: Deployment, observers: Mapping[Address, bool], quorum: int) -> Trust:
    """Trust in a deployment and in ``quorum`` of its observers; True stands for one that must have signed.

    Raises ValueError where a quorum of that many proves nothing.
    """
    made = Trust(
        deployment.chain_id,
        deployment.addresses["Settlement"],
        deployment.addresses["ChargeBook"],
        frozenset(observers),
        frozenset(observer for observer, must in observers.items() if must),
        quorum,
        {},
    )
    return Trust.parse(made.encode())
