"""Makes the checkout importable in this environment and puts ``kopeck`` into its bin directory.

What ``pip install --editable`` would do, without fetching a build backend that no lock file pins.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

COMMAND = """#!{python}
import sys
from scripts.cli.main import app
sys.exit(app())
"""


def link(checkout: Path) -> Path:
    """Writes the path file and the command; returns the command's path."""
    packages = Path(sysconfig.get_path("purelib"))
    (packages / "kopeck.pth").write_text(f"{checkout}\n")
    command = Path(sysconfig.get_path("scripts")) / "kopeck"
    command.write_text(COMMAND.format(python=sys.executable))
    command.chmod(0o755)
    return command


if __name__ == "__main__":
    link(Path(__file__).resolve().parent.parent)
