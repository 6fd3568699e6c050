"""Writes api/openapi.json, the contract of the HTTP door: python -m api.openapi."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from api.app import create_app

TARGET = Path(__file__).parent / "openapi.json"


def main() -> None:
    """Describes the door; nothing of a running town is needed for it."""
    description = create_app(cast(Any, None)).openapi()
    TARGET.write_text(json.dumps(description, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
