"""Removes what the people store keeps of an account, and of a person who is left with none."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, delete, select

from api.people import Role
from api.tables import contacts, gis_accounts, person_accounts, persons, sessions


def forget_account(engine: Engine, account: str) -> Sequence[str]:
    """Drops an account's contact and who may see it; gives the logins that went with it. Safe to repeat.

    A resident who sees no other account goes too, with open sessions.
    """
    with engine.begin() as connection:
        here = person_accounts.c.account == account
        held = connection.execute(select(person_accounts.c.person).where(here)).scalars().all()
        connection.execute(delete(person_accounts).where(here))
        connection.execute(delete(contacts).where(contacts.c.account == account))
        connection.execute(delete(gis_accounts).where(gis_accounts.c.account == account))
        gone: list[str] = []
        for person in held:
            left = select(person_accounts.c.account).where(person_accounts.c.person == person)
            row = connection.execute(select(persons.c.login, persons.c.role).where(persons.c.id == person)).first()
            if row is None or row.role != Role.RESIDENT.value or connection.execute(left).first() is not None:
                continue
            connection.execute(delete(sessions).where(sessions.c.person == person))
            connection.execute(delete(persons).where(persons.c.id == person))
            gone.append(row.login)
    return gone
