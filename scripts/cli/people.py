"""Who a paper is printed for: read from a file that the caller keeps, since billing stores no person."""

from __future__ import annotations

import json
from pathlib import Path

from billing.paper.person import Person, Requisites


class BadPerson(ValueError):
    """A file of a person lacks something; names the file and the field."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; it holds holder, address, payee (requisites) and suppliers by number")
        self.path, self.reason = path, reason


def read_person(path: Path) -> Person:
    """The person in a JSON file. Raises BadPerson, BadRequisites."""
    value = json.loads(path.read_text(encoding="utf-8"))
    try:
        names = {int(number): str(name) for number, name in value.get("suppliers", {}).items()}
        return Person(str(value["holder"]), str(value["address"]), Requisites(**value["payee"]), names)
    except KeyError as error:
        raise BadPerson(path, f"the field {error} is missing") from error
    except TypeError as error:
        raise BadPerson(path, str(error)) from error
