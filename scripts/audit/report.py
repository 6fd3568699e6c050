"""The report of an audit: what was checked, what was found, signed by whoever made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.wire.canonical import canonical_json
from contracts.wire.ids import Address, address_text, parse_address
from contracts.wire.keccak import keccak
from contracts.wire.typed_data import SignatureError, address_of, recover, sign_digest
from scripts.audit.audit import Result
from scripts.audit.finding import CannotAudit

FORMAT = "kopeck audit 1"
_TEXT = b"kopeck audit report"


class BadReport(ValueError):
    """A report is not what was signed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an audit ended. Only ``sound`` and, where it was asked for, ``sound-but-sealed`` are good ends."""

    word: str
    sentence: str
    is_good: bool


def verdict_of(result: Result, may_stay_sealed: bool) -> Verdict:
    """What the findings come to; an audit that opened nothing is good only where nothing was to be opened."""
    if not result.is_sound:
        return Verdict("alarms", f"{len(result.findings)} records are not as they should be.", False)
    if result.is_open:
        return Verdict("sound", "Everything that was checked is as it should be.", True)
    sentence = "Nothing is wrong; sealed records were not opened, and no bill was worked out again."
    return Verdict("sound-but-sealed", sentence, may_stay_sealed)


def report_value(result: Result, verdict: Verdict) -> dict[str, object]:
    """The report as JSON holds it: whole numbers and text only."""
    found = [finding.value() for finding in result.findings]
    return {
        "format": FORMAT,
        "verdict": verdict.word,
        "chain_id": result.chain_id,
        "settlement": address_text(result.settlement),
        "height": result.height,
        "block_hash": "0x" + result.block_hash.hex(),
        "node_final_height": result.final_height,
        "records_opened": result.is_open,
        "history_read_anew": result.anew,
        "checks": checks_of(result),
        "checked": dict(sorted(result.findings.checked.items())),
        "leaves": dict(sorted(result.findings.closed.items())),
        "findings": len(result.findings),
        "first": found[0] if found else None,
        "all": found,
    }


_ALWAYS = (
    "blocks with events", "events", "transactions with money", "files", "leaves", "batches of readings",
    "signatures of readings", "tariff documents", "runs", "heads used by runs", "supplier totals", "bills", "receipts",
    "bills proved in calls", "proofs", "signatures of orders", "agents' batches", "batches of grants", "grants applied",
    "refunds", "payout changes", "checkpoints", "cosignatures",
)  # fmt: skip
_OPENED = (
    "bills worked out again", "lines worked out again", "formulas worked out again", "readings held against batches",
    "volumes derived from readings", "tariff versions held against documents",
)  # fmt: skip
_QUORUM = "checkpoints held against the quorum"


def checks_of(result: Result) -> list[dict[str, object]]:
    """Each check by the records that it is of: whether it ran, over how many, and why it did not."""
    sealed = None if result.is_open else "records were not opened"
    unasked = None if result.has_quorum else "no observers were named"
    asked: list[tuple[str, str | None]] = [(name, None) for name in _ALWAYS]
    asked += [(name, sealed) for name in _OPENED] + [(_QUORUM, unasked)]
    return [
        {"of": name, "ran": why is None, "records": result.findings.checked[name], **({"why": why} if why else {})}
        for name, why in asked
    ]


def refusal_value(error: CannotAudit) -> dict[str, object]:
    """The report of an audit that could not be made."""
    cause = {"slug": error.slug, "reason": error.reason, "remedy": error.remedy}
    return {"format": FORMAT, "verdict": "not-audited", "cause": cause}


def signed(report: Mapping[str, object], key: bytes | None) -> dict[str, object]:
    """The report with its signer and signature: EIP-191 over a fixed text and the hash of its canonical JSON."""
    if key is None:
        return {"report": dict(report)}
    signature = "0x" + sign_digest(key, _digest(report)).hex()
    return {"report": dict(report), "signer": address_text(address_of(key)), "signature": signature}


def signer_of(value: Mapping[str, Any]) -> Address:
    """Who signed a report. Raises BadReport where nobody did, or it was altered since."""
    try:
        signer = recover(_digest(value["report"]), bytes.fromhex(value["signature"][2:]))
        if signer != parse_address(value["signer"]):
            raise BadReport(f"the report is not what {value['signer']} signed; ask the signer for it again")
    except (KeyError, TypeError, ValueError, SignatureError) as error:
        raise BadReport(f"the report is not signed, or not as a whole: {error}") from error
    return signer


def _digest(report: Mapping[str, object]) -> bytes:
    text = _TEXT + keccak(canonical_json(dict(report)))
    return keccak(b"\x19Ethereum Signed Message:\n%d" % len(text) + text)
