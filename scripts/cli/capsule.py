"""``kopeck capsule`` and ``kopeck verify``: a bill with all its proofs in one file, and what such a file proves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import segno
import typer

from contracts.client.rpc import Rpc
from contracts.wire.capsule import Trust, parse_capsule
from contracts.wire.capsule_check import Verdict, verify_capsule
from contracts.wire.checkpoint import Cosigned
from contracts.wire.ids import BillKey, BillState
from ledger.published import Published
from scripts.capsule.asked import ask_node
from scripts.capsule.make import NoCapsule, make_capsule
from scripts.capsule.mark import Mark
from scripts.capsule.receipt import receipt_pdf
from scripts.cli.books import open_town
from scripts.cli.console import out, show, show_json
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME

RpcOption = Annotated[str, typer.Option("--rpc", help="A node of the town's chain.")]


def capsule(
    bill: Annotated[str, typer.Argument(help="RUN-INDEX, e.g. 1-17.")],
    path: Annotated[Path, typer.Option("--out", help="The file.")],
    rpc: RpcOption = "http://127.0.0.1:8545",
    mark: Annotated[Path | None, typer.Option("--mark", help="Also the QR for the paper: .svg or .png.")] = None,
    without_document: Annotated[
        bool, typer.Option("--without-document", help="Prove the sums; keep the document back.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Puts a bill, its proofs, what was paid on it and a cosigned checkpoint into one file."""
    town = open_town(home)
    key = BillKey.parse(bill)
    cosigned = _newest(Published(town.home.root / "checkpoints"), key)
    made = make_capsule(town.ledger, town.deployment, Rpc(rpc), cosigned, key, with_document=not without_document)
    data = made.encode()
    path.write_bytes(data)
    path.chmod(0o600)
    if mark is not None:
        segno.make(Mark.of(made).text, error="m").save(str(mark), scale=4)
    height, signed = cosigned.checkpoint.height, len(cosigned.cosignatures)
    out.print(f"{path}: {len(data)} bytes, height {height}, {signed} cosignatures", highlight=False)


def _newest(published: Published, key: BillKey) -> Cosigned:
    """The highest of the checkpoints that most observers signed."""
    found = published.all()
    if not found:
        raise NoCapsule(key, "no checkpoint is published; `kopeck checkpoint make` makes one for observers to sign")
    return max(found, key=lambda one: (len(one.cosignatures), one.checkpoint.height))


def verify(
    path: Annotated[Path, typer.Argument(help="The capsule.")],
    trust_path: Annotated[
        Path, typer.Option("--trust", help="Whom you trust: chain, contracts, observers; see docs/protocol.md §12.")
    ] = Path("trust.json"),
    rpc: Annotated[str | None, typer.Option("--rpc", help="Also ask this node; without it nothing is asked.")] = None,
    mark: Annotated[str | None, typer.Option("--mark", help="The text of the paper's QR.")] = None,
    paper: Annotated[Path | None, typer.Option("--paper", help="Also print the receipt, a PDF.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Checks a capsule offline. Exit code 0 only where everything in it is proved."""
    trust = Trust.parse(trust_path.read_bytes())
    data = path.read_bytes()
    verdict = verify_capsule(data, trust)
    parsed = parse_capsule(data)
    if mark is not None:
        Mark.parse(mark).check(parsed)
    now = None if rpc is None else ask_node(Rpc(rpc), verdict, trust)
    if paper is not None:
        paper.write_bytes(receipt_pdf(parsed, verdict))
    if as_json:
        show_json(verdict_json(verdict, now))
        return
    show(_lines(verdict), False, f"bill {verdict.key} of {verdict.period}: {verdict.state.name.lower()}")
    show(_payments(verdict), False, "payments")
    point = verdict.checkpoint
    out.print(
        f"proved by {len(verdict.observers)} trusted observers at block {point.height}"
        + ("" if now is None else f"; at the node you chose it is {now.name.lower()} now")
        + _caution(verdict.state if now is None else now, now),
        highlight=False,
    )


def _caution(state: BillState, now: BillState | None) -> str:
    if now is not None or state in (BillState.PAID, BillState.SUPERSEDED):
        return ""
    return "; what came after that, only a later capsule or a node can tell"


def verdict_json(verdict: Verdict, now: BillState | None = None) -> dict[str, object]:
    """Plain values."""
    point = verdict.checkpoint
    return {
        "bill": str(verdict.key),
        "kind": verdict.kind.name.lower(),
        "period": str(verdict.period),
        "state": verdict.state.name.lower(),
        "state_at_node": None if now is None else now.name.lower(),
        "lines": _lines(verdict),
        "payments": _payments(verdict),
        "document": None if verdict.document is None else verdict.document.decode("utf-8", "replace"),
        "height": point.height,
        "block": "0x" + point.block.hex(),
        "observers": ["0x" + address.hex() for address in verdict.observers],
    }


def _lines(verdict: Verdict) -> list[dict[str, object]]:
    return [
        {
            "line": line,
            "supplier": int(found.supplier),
            "charged_kopecks": found.charged_kopecks,
            "paid_kopecks": found.paid_kopecks,
            "granted_kopecks": found.granted_kopecks,
            "netted_kopecks": found.netted_kopecks,
            "written_off_kopecks": found.written_off_kopecks,
            "refunded_kopecks": found.refunded_kopecks,
        }
        for line, found in enumerate(verdict.lines)
    ]


def _payments(verdict: Verdict) -> list[dict[str, object]]:
    return [
        {
            "amount_kopecks": payment.amount_kopecks,
            "time": payment.timestamp,
            "payer": "0x" + payment.payer.hex(),
            "block": payment.block_number,
            "transaction": payment.transaction,
        }
        for payment in verdict.payments
    ]
