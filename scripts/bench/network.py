"""Payments through a consortium of four validators, beside the same payments through one Anvil of the same pace.

Each payment is of a bill with five suppliers and a proof of 17 levels; a batch is an agent's of a hundred. The clock
runs from the first hand-over to the node until the last one is mined, with blocks of a second on both.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.client.rpc import Rpc
from contracts.wire import calls
from contracts.wire.ids import BillState
from scripts.bench import Result
from scripts.bench.chain import own_chain
from scripts.bench.gas import BATCH, BILLS, RUN, Bench, Town, WrongState
from scripts.cli.console import err
from scripts.home import Home
from scripts.network.build import BuildFailed, build
from scripts.network.genesis import BLOCK_PERIOD_S
from scripts.network.members import VALIDATORS
from scripts.network.network import Network

SINGLES = 600
BATCHES = 40
_GAS_A_PAYMENT = 250_000
_GAS_A_BATCH = 6_000_000
_MINED_S = 300


@dataclass(frozen=True, slots=True)
class _Rate:
    payments_per_s: float
    mgas_per_s: float


def measure() -> list[Result]:
    """network.pay_per_s and network.pay_batch_per_s, each beside Anvil's; the chain's gas per second beside both.

    Nothing where the node program is not built and can't be: the other benches go on.
    """
    try:
        build()
    except BuildFailed as error:
        err.print(f"not measured: {error}", highlight=False)
        return []
    with _network() as url:
        single, batched = _measure(url)
    with _anvil() as url:
        anvil_single, anvil_batched = _measure(url)
    return [
        _result("network.pay_per_s", single, anvil_single),
        _result("network.pay_batch_per_s", batched, anvil_batched),
    ]


def _result(name: str, found: _Rate, beside: _Rate) -> Result:
    baselines = {
        "anvil": round(beside.payments_per_s, 1),
        "mgas_per_s": round(found.mgas_per_s, 1),
        "anvil_mgas_per_s": round(beside.mgas_per_s, 1),
    }
    return Result(name, round(found.payments_per_s, 1), "payments/s", "higher", None, baselines)


def _measure(url: str) -> tuple[_Rate, _Rate]:
    bench = Bench(Rpc(url, timeout_s=60), url)
    town = Town(bench)
    drawn = random.Random(4).sample(range(BILLS), SINGLES + BATCHES * BATCH)
    single, rest = drawn[:SINGLES], drawn[SINGLES:]
    batches = [sorted(rest[start : start + BATCH]) for start in range(0, len(rest), BATCH)]
    payments = [calls.encode_pay(town.proven(index), 10**9) for index in single]
    found = (
        _rate(bench, "payer", payments, _GAS_A_PAYMENT, len(single)),
        _rate(bench, "agent", [town.batch(batch) for batch in batches], _GAS_A_BATCH, len(rest)),
    )
    _require_paid(bench, drawn)
    return found


def _rate(bench: Bench, party: str, data: Sequence[bytes], gas: int, payments: int) -> _Rate:
    """Hands all over at once and waits for the last; each must have succeeded."""
    sender = bench.senders[party]  # it has sent before, so its nonce is known
    intents = [f"{party} {number}" for number in range(len(data))]
    settlement = bench.at("Settlement")
    sender.submit_many([(name, settlement, call, gas) for name, call in zip(intents, data, strict=True)])
    started = time.monotonic()
    outcomes = [sender.wait(name, timeout_s=_MINED_S, check=True) for name in intents]
    took_s = time.monotonic() - started
    receipts = bench.rpc.batch([("eth_getTransactionReceipt", ["0x" + each.tx_hash.hex()]) for each in outcomes])
    used = sum(int(receipt["gasUsed"], 16) for receipt in receipts)
    return _Rate(payments / took_s, used / took_s / 1e6)


def _require_paid(bench: Bench, indices: Sequence[int]) -> None:
    states = bench.reader.views([("ChargeBook", "stateOf", (RUN, index)) for index in indices])
    left = [index for index, state in zip(indices, states, strict=True) if state != BillState.PAID]
    if left:
        raise WrongState(f"{len(left)} bills are not paid, first {RUN}-{left[0]}")


@contextmanager
def _network() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="kopeck-bench-") as folder:
        network = Network(Home(Path(folder)))
        try:
            network.up()
            yield network.members.named(VALIDATORS[0]).url
        finally:
            network.down()


@contextmanager
def _anvil() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="kopeck-bench-") as folder, own_chain(Path(folder), BLOCK_PERIOD_S) as url:
        yield url
