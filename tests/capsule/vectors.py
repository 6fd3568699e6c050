"""Writes tests/vectors/capsules.json: capsules of a chain that is gone, for every verifier there will ever be.

``python -m tests.capsule.vectors`` makes them anew, from another chain; so it is run when the format changes and at no
other time, and what was written before has to go on verifying.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.capsule.bent import Bent, bent_capsules, bent_trust
from tests.capsule.story import STATES, Told, told_anew

FILE = Path(__file__).resolve().parents[1] / "vectors" / "capsules.json"
KEPT = ("paid", "helped", "superseded", "note")


def vectors(told: Told) -> dict[str, object]:
    """Capsules with the state each proves, and bent ones with the word that refuses each."""
    return {
        "trust": json.loads(told.trust.encode()),
        "accepted": [
            {"name": name, "state": STATES[name].name.lower(), "capsule": told.capsules[name].decode()} for name in KEPT
        ],
        "refused": [_refused(case) for case in bent_capsules(told)],
        "distrusted": [
            {"trust": json.loads(case.trust.encode()), "of": "paid", "refusal": str(case.refusal)}
            for case in bent_trust(told)
        ],
    }


def _refused(case: Bent) -> dict[str, str]:
    return {"name": case.name, "refusal": str(case.refusal), "capsule": case.capsule.decode()}


def main() -> None:
    """Plays the story and writes the file."""
    with tempfile.TemporaryDirectory() as folder:
        FILE.write_text(json.dumps(vectors(told_anew(Path(folder))), indent=1) + "\n")


if __name__ == "__main__":
    main()
