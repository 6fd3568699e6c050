"""The verifiers in Go and in the browser's JavaScript against ours: the same word for every capsule, bent or not.

They share no code with it, and each runs as a process of its own that is given files and no address.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from contracts.wire.capsule import CapsuleError, Trust
from contracts.wire.capsule_check import verify_capsule
from tests.capsule.bent import Bent, bent_capsules, bent_trust, flips
from tests.capsule.story import STATES, Told
from tests.capsule.verifiers import GO, Verifier, built_go, go_verifier, javascript_verifier

FLIPS = 250


@pytest.fixture(scope="session")
def go_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_go(tmp_path_factory.mktemp("go"))


@pytest.fixture(params=["go", "javascript"])
def verifier(request: pytest.FixtureRequest) -> Verifier:
    return go_verifier(request.getfixturevalue("go_binary")) if request.param == "go" else javascript_verifier()


def test_the_go_is_formatted_and_vetted(go_binary: Path) -> None:
    assert go_binary.exists()
    for command in (["gofmt", "-l", "."], ["go", "vet", "./..."], ["go", "mod", "verify"]):
        done = subprocess.run(command, cwd=GO, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode, done.stdout.replace("all modules verified\n", "")) == (0, ""), done.stderr


def _written(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    paths = []
    for number, data in enumerate(files.values()):
        path = folder / f"{number}.json"
        path.write_bytes(data)
        paths.append(path)
    return paths


def _ours(data: bytes, trust: Trust) -> str | None:
    try:
        verify_capsule(data, trust)
    except CapsuleError as error:
        return str(error.refusal)
    return None


def _trust(told: Told, folder: Path) -> Path:
    path = folder / "trust"
    path.write_bytes(told.trust.encode())
    return path


def test_they_prove_what_we_prove(told: Told, verifier: Verifier, tmp_path: Path) -> None:
    answers = verifier(_trust(told, tmp_path), _written(tmp_path, told.capsules))
    for (name, data), answer in zip(told.capsules.items(), answers, strict=True):
        ours, theirs = verify_capsule(data, told.trust), answer["verdict"]
        assert (theirs["bill"], theirs["state"]) == (str(ours.key), STATES[name].name.lower())
        assert (theirs["period"], theirs["height"]) == (ours.period.number, ours.checkpoint.height)
        assert theirs["observers"] == ["0x" + address.hex() for address in ours.observers]
        assert [_sums(line) for line in theirs["lines"]] == [
            [
                line.supplier,
                line.charged_kopecks,
                line.paid_kopecks,
                line.granted_kopecks,
                line.netted_kopecks,
                line.written_off_kopecks,
                line.refunded_kopecks,
            ]
            for line in ours.lines
        ]


def _sums(line: dict[str, int]) -> list[int]:
    names = ("charged", "paid", "granted", "netted", "written_off", "refunded")
    if "charged_kopecks" in line:
        return [line["supplier"], *(line[f"{name}_kopecks"] for name in names)]
    return [line["supplier"], *(line["writtenOff" if name == "written_off" else name] for name in names)]


def test_each_fault_gets_the_same_word(told: Told, verifier: Verifier, tmp_path: Path) -> None:
    cases = bent_capsules(told)
    answers = verifier(_trust(told, tmp_path), _written(tmp_path, {case.name: case.capsule for case in cases}))
    found = {case.name: answer.get("refusal") for case, answer in zip(cases, answers, strict=True)}
    assert found == {case.name: str(case.refusal) for case in cases}


def test_each_reader_gets_the_same_word(told: Told, verifier: Verifier, tmp_path: Path) -> None:
    for case in _by_trust(told, tmp_path):
        (answer,) = verifier(tmp_path / "trust", [tmp_path / "paid.json"])
        assert answer.get("refusal") == str(case.refusal), case.name


def _by_trust(told: Told, folder: Path) -> Iterator[Bent]:
    for case in bent_trust(told):
        (folder / "trust").write_bytes(case.trust.encode())
        (folder / "paid.json").write_bytes(case.capsule)
        yield case


@pytest.mark.parametrize("name", ["paid", "helped", "open"])
def test_no_flipped_bit_passes_and_all_say_why_alike(told: Told, verifier: Verifier, tmp_path: Path, name: str) -> None:
    bent = [data for data in flips(told.capsules[name], FLIPS, seed=11) if data != told.capsules[name]]
    answers = verifier(_trust(told, tmp_path), _written(tmp_path, dict(zip(map(str, range(9999)), bent, strict=False))))
    words = [answer.get("refusal") for answer in answers]
    assert None not in words
    assert words == [_ours(data, told.trust) for data in bent]
