"""Every file that the chain names, read once, by as many processes as there are: what the checks then go by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from scripts.audit.batch_file import BatchFile, read_batch
from scripts.audit.crew import Crew
from scripts.audit.finding import Findings
from scripts.audit.index import Index, NamedRun
from scripts.audit.leaves import Files, NamedFile
from scripts.audit.run_file import Claim, Own, RunFile, check_claim, read_run

_BATCHES_AT_ONCE = 50


@dataclass
class Gathered:
    """What the files hold, by the name under which the chain names each."""

    batches: dict[NamedFile, BatchFile] = field(default_factory=dict)
    runs: dict[NamedFile, RunFile] = field(default_factory=dict)


def gather(files: Files, index: Index, crew: Crew) -> Gathered:
    """Reads the files of batches and runs; what is wrong with them is told in the findings of ``files``."""
    found = Gathered()
    _runs(files, index, crew, found)
    parts = [index.readings[at : at + _BATCHES_AT_ONCE] for at in range(0, len(index.readings), _BATCHES_AT_ONCE)]

    def batches(part: list[NamedFile]) -> tuple[Findings, list[BatchFile]]:
        own = files.aside()
        return own.findings, [read_batch(own, named) for named in part]

    with crew.at(batches, parts) as running:
        for part, (findings, read) in zip(parts, running.results(), strict=True):
            files.findings.merge(findings)
            found.batches.update(zip(part, read, strict=True))
    return found


def _runs(files: Files, index: Index, crew: Crew, found: Gathered) -> None:
    """Bills first; what they hold of each supplier is then held against the claims."""

    def bills(named: NamedRun) -> tuple[Findings, RunFile]:
        own = files.aside()
        return own.findings, read_run(own, named.bills)

    with crew.at(bills, index.runs) as running:
        for named, (findings, read) in zip(index.runs, running.results(), strict=True):
            files.findings.merge(findings)
            found.runs[named.bills] = read
    claims = list(_claims(index, found))

    def check(place: int) -> Findings:
        own = files.aside()
        check_claim(own, claims[place])
        return own.findings

    with crew.at(check, range(len(claims))) as checking:
        for findings in checking.results():
            files.findings.merge(findings)
    for read in found.runs.values():
        read.forget_lines()


def _claims(index: Index, found: Gathered) -> Iterator[Claim]:
    for run in index.runs:
        read = found.runs[run.bills]
        for told, named in zip(run.event.proposal.suppliers, run.lines, strict=True):
            yield Claim(run.event.run, told, named, read.own.get(told.supplier, Own()), read.is_whole)
