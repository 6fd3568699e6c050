"""People and organisations: who they are, how they prove it, and what each may see."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Engine, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.tables import contacts, person_accounts, persons, supplier_names, tokens, wallets


class Role(StrEnum):
    """What someone is to the service; decides what they may see and ask for."""

    RESIDENT = "resident"
    SUPPLIER = "supplier"
    WELFARE = "welfare"
    REGULATOR = "regulator"
    OPERATOR = "operator"
    AGENT = "agent"
    LEDGER = "ledger"


class LoginTaken(Exception):
    """A person with this login exists already."""

    def __init__(self, login: str) -> None:
        super().__init__(f"the login {login!r} is taken; choose another or change that person's password")
        self.login = login


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever stands behind a request: a person in a session, or an organisation with a token."""

    id: str
    role: Role
    name: str
    language: str = "ru"
    supplier: int | None = None
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """Personal data of an account: kept here and nowhere else, passed on only to print a document."""

    holder: str
    address: str
    phone: str | None = None


class People:
    """The people store. ``hasher`` is argon2id; a test may give one with a lower cost."""

    def __init__(self, engine: Engine, hasher: PasswordHasher | None = None) -> None:
        self._engine = engine
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    def add_person(
        self,
        login: str,
        password: str,
        role: Role,
        name: str,
        *,
        accounts: Sequence[str] = (),
        supplier: int | None = None,
        language: str = "ru",
    ) -> Actor:
        """Registers a person. Raises LoginTaken."""
        identity = uuid.uuid4().hex
        row = {
            "id": identity,
            "login": login.casefold(),
            "password_hash": self._hasher.hash(password),
            "role": role.value,
            "name": name,
            "language": language,
            "supplier": supplier,
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(persons).values(row))
                for account in accounts:
                    connection.execute(insert(person_accounts).values(person=identity, account=account))
        except IntegrityError as error:
            raise LoginTaken(login) from error
        return Actor(identity, role, name, language, supplier, tuple(accounts))

    def set_password(self, login: str, password: str) -> None:
        """Gives a known login a new password; an unknown login is left unknown."""
        change = update(persons).where(persons.c.login == login.casefold())
        with self._engine.begin() as connection:
            connection.execute(change.values(password_hash=self._hasher.hash(password)))

    def knows(self, login: str) -> bool:
        """Whether somebody has this login."""
        query = select(persons.c.id).where(persons.c.login == login.casefold())
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def authenticate(self, login: str, password: str) -> Actor | None:
        """The person whose login and password these are. An unknown login takes as long as a wrong password."""
        with self._engine.connect() as connection:
            row = connection.execute(select(persons).where(persons.c.login == login.casefold())).first()
        try:
            self._hasher.verify(self._nobody if row is None else row.password_hash, password)
        except (VerificationError, InvalidHashError):
            return None
        return None if row is None else self.person(row.id)

    def person(self, identity: str) -> Actor | None:
        """The person of this id, with the accounts they may see."""
        with self._engine.connect() as connection:
            row = connection.execute(select(persons).where(persons.c.id == identity)).first()
            held = connection.execute(
                select(person_accounts.c.account)
                .where(person_accounts.c.person == identity)
                .order_by(person_accounts.c.account)
            ).scalars()
            return None if row is None else _actor(row, tuple(held))

    def set_contact(self, account: str, contact: Contact) -> None:
        """Records an account's holder, address and phone, replacing what was there."""
        with self._engine.begin() as connection:
            connection.execute(delete(contacts).where(contacts.c.account == account))
            connection.execute(
                insert(contacts).values(
                    account=account, holder=contact.holder, address=contact.address, phone=contact.phone
                )
            )

    def contact(self, account: str) -> Contact | None:
        """Personal data of an account."""
        with self._engine.connect() as connection:
            row = connection.execute(select(contacts).where(contacts.c.account == account)).first()
        return None if row is None else Contact(row.holder, row.address, row.phone)

    def name_supplier(self, supplier: int, name: str) -> None:
        """Gives a supplier the name that pages show."""
        with self._engine.begin() as connection:
            connection.execute(delete(supplier_names).where(supplier_names.c.supplier == supplier))
            connection.execute(insert(supplier_names).values(supplier=supplier, name=name))

    def supplier_names(self) -> dict[int, str]:
        """Names of suppliers by number."""
        with self._engine.connect() as connection:
            return {row.supplier: row.name for row in connection.execute(select(supplier_names))}

    def name_wallet(self, address: bytes, kind: str, name: str | None = None) -> None:
        """Says whose a wallet is: ``agent``, ``welfare`` or ``bank``."""
        text = "0x" + address.hex()
        with self._engine.begin() as connection:
            connection.execute(delete(wallets).where(wallets.c.address == text))
            connection.execute(insert(wallets).values(address=text, kind=kind, name=name))

    def wallets(self) -> list[tuple[bytes, str, str | None]]:
        """Wallets whose owners are known: address, kind, name."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(wallets))
            return [(bytes.fromhex(row.address[2:]), row.kind, row.name) for row in rows]

    def issue_token(self, role: Role, name: str, supplier: int | None = None, token: str | None = None) -> str:
        """A bearer token for an organisation: told once, kept as a hash. The same given ``token`` is a no-op."""
        text = token or secrets.token_urlsafe(32)
        row = {
            "token_sha256": _sha256(text),
            "role": role.value,
            "name": name,
            "supplier": supplier,
            "revoked": 0,
        }
        with self._engine.begin() as connection:
            known = connection.execute(select(tokens).where(tokens.c.token_sha256 == row["token_sha256"])).first()
            if known is None:
                connection.execute(insert(tokens).values(row))
        return text

    def revoke_token(self, token: str) -> None:
        """Ends a token for good."""
        with self._engine.begin() as connection:
            connection.execute(update(tokens).where(tokens.c.token_sha256 == _sha256(token)).values(revoked=1))

    def organisation(self, token: str) -> Actor | None:
        """The organisation whose live token this is."""
        query = select(tokens).where(tokens.c.token_sha256 == _sha256(token), tokens.c.revoked == 0)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return Actor("token:" + row.token_sha256[:16], Role(row.role), row.name, "ru", row.supplier)


def _actor(row: Row[tuple[object, ...]], held: tuple[str, ...]) -> Actor:
    return Actor(row.id, Role(row.role), row.name, row.language, row.supplier, held)


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
