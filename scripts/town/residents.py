"""Residents at the API: they log in, draw an order for their bill, sign it with their wallet, and send it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from api.people import Contact, People, Role
from api.store import database_url, open_database
from contracts.wire.ids import Period
from contracts.wire.typed_data import sign_digest
from scripts.home import Home
from scripts.town.payees import enrol_payees
from scripts.town.plan import Flat, Habit, Town
from scripts.town.stage import Stage

REQUEST_S = 20.0
PARTIES = (
    ("agent", "agent", "Платёжный агент"),
    ("welfare", "welfare", "Соцзащита Демогорода"),
    ("bank", "bank", "Банк-эмитент"),
)
"""Wallets that the pages call by name."""
CLERKS = (
    (Role.WELFARE, "орган соцзащиты"),
    (Role.REGULATOR, "надзор"),
    (Role.OPERATOR, "расчётный центр"),
)


class ApiRefused(RuntimeError):
    """The API said no; its problem document tells why."""

    def __init__(self, what: str, response: httpx.Response) -> None:
        super().__init__(f"{what}: HTTP {response.status_code}: {response.text[:500]}")
        self.response = response


@dataclass(frozen=True, slots=True)
class Login:
    """A demo login and what there is to see behind it."""

    login: str
    password: str
    role: Role
    story: str
    accounts: tuple[str, ...] = ()
    supplier: int | None = None


def logins_of(town: Town, home: Home) -> list[Login]:
    """One resident for each story, and one clerk for each body; passwords are drawn once for a town."""
    out = [
        Login(f"resident-{flat.account}", _password(home, flat.account), Role.RESIDENT, story, (flat.account,))
        for flat, story in _told(town)
    ]
    for supplier in town.suppliers[:2]:
        name = f"supplier-{supplier.number}"
        out.append(Login(name, _password(home, name), Role.SUPPLIER, supplier.name, (), supplier.number))
    out += [Login(role.value, _password(home, role.value), role, story) for role, story in CLERKS]
    return out


def _told(town: Town) -> list[tuple[Flat, str]]:
    """The flats that somebody can look into: every wallet payer, and the first flat of each other story."""
    found = [
        (flat, "платит со своего кошелька подписанным распоряжением")
        for flat in town.flats
        if flat.habit is Habit.WALLET
    ]
    stories: tuple[tuple[str, Callable[[Flat], bool]], ...] = (
        ("обычная квартира, платит через агента", lambda f: f.habit is Habit.AGENT and f.metered and not f.benefit),
        ("льгота: мера поддержки по категории", lambda f: f.benefit),
        ("начислили лишнее, исправили и вернули", lambda f: f.overcharged),
        ("не платит", lambda f: f.habit is Habit.DEBTOR),
        ("платит вперёд", lambda f: f.habit is Habit.PREPAYER),
        ("платит часть", lambda f: f.habit is Habit.PART),
        ("без счётчиков, по нормативам", lambda f: not f.metered),
        ("счётчик заменён", lambda f: any(m.until for m in f.meters)),
        ("пропуски в показаниях", lambda f: f.gaps),
    )
    taken = {flat.account for flat, _ in found}
    for story, fits in stories:
        flat = next((f for f in town.flats if fits(f) and f.account not in taken), None)
        if flat is not None:
            taken.add(flat.account)
            found.append((flat, story))
    return found


def _password(home: Home, name: str) -> str:
    path = home.folder("town") / "passwords" / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True, mode=0o700)
        path.write_text(secrets.token_urlsafe(9))
        path.chmod(0o600)
    return path.read_text()


class Residents:
    """Acts for residents over HTTP, as their browsers and wallets would."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._logins = {login.accounts[0]: login for login in logins_of(stage.town, stage.home) if login.accounts}
        self._sessions: dict[str, str] = {}

    @staticmethod
    def enrol(stage: Stage) -> None:
        """The front desk opens the logins and records who lives where; the same again changes nothing."""
        engine = open_database(database_url(stage.home.root))
        people = People(engine)
        enrol_payees(stage.town, stage.home, engine)
        logins = logins_of(stage.town, stage.home)
        for login in logins:
            if not people.knows(login.login):
                name = f"Житель {login.accounts[0]}" if login.accounts else login.story
                people.add_person(
                    login.login, login.password, login.role, name, accounts=login.accounts, supplier=login.supplier
                )
        shown = [
            {"login": x.login, "password": x.password, "label": x.story} for x in logins_of(stage.town, stage.home)
        ]
        (stage.home.folder("api") / "demo-logins.json").write_text(json.dumps(shown, ensure_ascii=False) + "\n")
        for supplier in stage.town.suppliers:
            people.name_supplier(supplier.number, supplier.name)
        for party, kind, name in PARTIES:
            people.name_wallet(stage.parties.address(party), kind, name)
        for flat in stage.town.flats:
            if people.contact(flat.account) is None:
                contact = Contact(f"Житель {flat.account}", f"Демогород, дом {flat.house}, кв. {flat.number}")
                people.set_contact(flat.account, contact)

    def pay_by_order(self, flats: Sequence[Flat], period: Period, which: str) -> None:
        """Each flat pays what is open on its bill by an order of its wallet; waits until all are carried out."""
        with self._client() as client:
            items = [(flat, self._send_order(client, flat, period, which)) for flat in flats]
            for flat, item in items:
                if item is not None:
                    self._wait(client, flat, item)
        accounts = [flat.account for flat in flats]
        self._stage.until(
            lambda: all(bill.is_final for bill in self._stage.bills(period, accounts).values()), "the orders final"
        )

    def _send_order(self, client: httpx.Client, flat: Flat, period: Period, which: str) -> str | None:
        bill = self._stage.bill(flat.account, period)
        if bill.open_kopecks == 0:
            return None
        sent = self._stage.home.folder("town") / "orders" / f"{flat.account}-{period}-{which}"
        if sent.exists():
            return sent.read_text()
        payer = "0x" + self._stage.home.address(flat.wallet).hex()
        drawn = self._call(client, flat, "GET", f"/v1/bills/{bill.key}/order", params={"payer": payer})
        signature = sign_digest(self._stage.home.key(flat.wallet), bytes.fromhex(str(drawn["digest"])[2:]))
        order = {name: drawn[name] for name in ("bill", "payer", "maximum_kopecks", "nonce", "valid_before")}
        answer = self._call(client, flat, "POST", "/v1/orders", json={**order, "signature": "0x" + signature.hex()})
        sent.parent.mkdir(exist_ok=True)
        sent.write_text(str(answer["id"]))
        return str(answer["id"])

    def _wait(self, client: httpx.Client, flat: Flat, item: str) -> None:
        def over() -> bool:
            answer = self._call(client, flat, "GET", f"/v1/payments/{item}", params={"wait_s": 5})
            if answer["state"] == "failed":
                raise RuntimeError(f"order {item} of account {flat.account} failed: {answer['reason']}")
            return answer["state"] == "done"

        self._stage.until(over, f"the order {item}")

    def _call(self, client: httpx.Client, flat: Flat, method: str, path: str, **more: object) -> dict[str, object]:
        """One request in the resident's session; an API that is away is asked again."""
        answer: dict[str, object] = {}

        def answered() -> bool:
            try:
                headers = {"Authorization": f"Bearer {self._session(client, flat)}"}
                response = client.request(method, path, headers=headers, **more)  # type: ignore[arg-type]
            except httpx.TransportError:
                return False
            if response.status_code == 401:
                self._sessions.pop(flat.account, None)
                return False
            if response.status_code == 503:
                return False
            if response.status_code >= 400:
                raise ApiRefused(f"{method} {path} for account {flat.account}", response)
            answer.update(response.json())
            return True

        self._stage.until(answered, f"the API's answer to {method} {path}")
        return answer

    def _session(self, client: httpx.Client, flat: Flat) -> str:
        if flat.account not in self._sessions:
            login = self._logins[flat.account]
            response = client.post("/v1/sessions", json={"login": login.login, "password": login.password})
            if response.status_code != 201:
                raise ApiRefused(f"login of {login.login}", response)
            self._sessions[flat.account] = str(response.json()["token"])
        return self._sessions[flat.account]

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self._stage.running.ports.web_url, timeout=REQUEST_S, trust_env=False)
