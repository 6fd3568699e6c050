"""What the HTTP door says and takes, as JSON. Money is whole kopecks, hashes are 0x hex, times are UTC."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Kopecks = Annotated[int, Field(description="whole kopecks")]
Hex32 = Annotated[str, Field(pattern="^0x[0-9a-f]{64}$", description="32 bytes")]
HexAddress = Annotated[str, Field(pattern="^0x[0-9a-fA-F]{40}$", description="an account on the chain, EIP-55")]
BillName = Annotated[str, Field(pattern="^[0-9]{1,10}-[0-9]{1,10}$", description="a bill: its run and its index")]
Month = Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}$", description="a billing period, YYYY-MM")]
BillStateName = Literal["open", "partial", "paid", "superseded"]


class Model(BaseModel):
    """Base of all: unknown fields are refused, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Credentials(Model):
    """A login and its password."""

    login: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256)


class Me(Model):
    """Who is asking."""

    role: str
    name: str
    language: str
    accounts: list[str]
    supplier: int | None


class SessionOpened(Model):
    """A session: its bearer token is told once."""

    token: str
    expires_at: datetime
    me: Me


class Status(Model):
    """How far the ledger has read, and how much of that is final."""

    chain_id: int
    head: int
    finalised: int
    head_at: datetime | None
    tariff_version: int


class Party(Model):
    """Somebody money came from or went to: what they are, and their wallet."""

    kind: Literal["supplier", "agent", "welfare", "bank", "wallet"]
    name: str | None = None
    wallet: HexAddress


class Leg(Model):
    """Money that reached one supplier for one line; in a refund, that left it again."""

    line: int
    supplier: int
    supplier_name: str
    party: Party = Field(description="the supplier, under the wallet it had then")
    amount_kopecks: Kopecks


class Receipt(Model):
    """One movement of money on a bill, as the chain has it."""

    kind: Literal["payment", "grant", "prepayment", "credit", "refund"]
    payer: Party | None
    refunded_to: Party | None = Field(description="who got a refund, but for what went back to welfare")
    reference: Hex32 | None
    tx_hash: Hex32
    block_number: int
    block_hash: Hex32
    at: datetime
    finalised: bool
    amount_kopecks: Kopecks
    legs: list[Leg]


class Input(Model):
    """One number of a formula: its symbol, its exact value as text (a decimal or ``num/den``), its unit."""

    symbol: str
    value: str
    unit: str
    formula: str = Field(default="", description="how it came of the part's other inputs")
    rounded_to: str = Field(default="", description="what it was rounded half up to a multiple of")
    readings: tuple[int, int] | None = Field(
        default=None, description="the line's readings that it comes of: the first, and the first that is not"
    )


class Part(Model):
    """One product, rounded once: the formula of the act, its inputs, and the days it covers."""

    formula: str
    act: str
    inputs: list[Input]
    first: date
    end: date = Field(description="the first day that is no longer covered")
    zone: str
    tariff_versions: list[int]
    amount_kopecks: Kopecks
    surcharge_kopecks: Kopecks = 0
    kind: Literal["charge", "recalculation"] = "charge"
    scope: Literal["individual", "common"] = "individual"
    resource: str | None = Field(default=None, description="the service whose resource common property used")


class UsedReading(Model):
    """A reading behind a line, in the base unit of the line, and where on the chain it is anchored."""

    meter: str
    register_number: int
    at: datetime
    value: int
    quality: str
    source: str
    root: Hex32
    leaf: int


class UsedTariff(Model):
    """A version of the tariff book that a line used, with its act and the hash that names its document."""

    version: int
    document: Hex32
    name: str
    kind: str
    act: str


class Explanation(Model):
    """How a line came to its sum, from the bill's own document, whose hash is in the bill's commitment."""

    method: str
    quantity: int
    unit: str
    rounding: str
    parts: list[Part]
    readings: list[UsedReading]
    tariffs: list[UsedTariff]
    estimated_intervals: int = 0
    intervals: int = 0
    carried_over: dict[str, int] = Field(default_factory=dict)


class Line(Model):
    """A line of a bill: what was charged, what moved, what is open."""

    line: int
    service: str
    supplier: int
    supplier_name: str
    charged_kopecks: Kopecks
    paid_kopecks: Kopecks
    granted_kopecks: Kopecks
    netted_kopecks: Kopecks
    written_off_kopecks: Kopecks
    refunded_kopecks: Kopecks
    open_kopecks: Kopecks
    explanation: Explanation | None


class Benefit(Model):
    """A grant on a line: whose decision, how much at most, and how much of it moved."""

    batch: int
    index: int
    line: int
    maximum_kopecks: Kopecks
    applied_kopecks: Kopecks
    expires_at: datetime
    state: Literal["waiting", "applied", "void", "reversed"]
    tx_hash: Hex32 | None


class BillSummary(Model):
    """A bill in a list."""

    key: BillName
    account: str
    kind: Literal["bill", "debit-note", "credit-note"]
    state: BillStateName
    period: Month
    charged_kopecks: Kopecks
    open_kopecks: Kopecks
    disputed_kopecks: Kopecks = Field(description="open, and not asked for until a dispute is decided")


class Bill(BillSummary):
    """A bill with the explanation of each line and everything that moved on it."""

    commit: Hex32
    zone: str
    paid_kopecks: Kopecks
    granted_kopecks: Kopecks
    netted_kopecks: Kopecks
    written_off_kopecks: Kopecks
    refunded_kopecks: Kopecks
    lines: list[Line]
    benefits: list[Benefit]
    receipts: list[Receipt]
    act: str | None = Field(description="the act behind a correction")
    without_charge: list[str] = Field(description="services that came to nothing this month")
    original: BillName | None
    notes: list[BillName]


class Proof(Model):
    """What proves that a bill stands in its run, and that its document is the one committed to.

    Takes `webapp/static/verify.mjs` (verifyBill) to the chain, at any node. Bill id, salt and document are null where
    the account's key was destroyed.
    """

    bill: BillName
    chain_id: int
    charge_book: HexAddress
    run: int
    index: int
    count: int
    blob: str
    bill_id: Hex32 | None
    salt: Hex32 | None
    document: str | None
    siblings: list[Hex32]
    root: Hex32


class Account(Model):
    """An account with its bills, newest first."""

    account: str
    address: str | None
    zone: str
    open_kopecks: Kopecks
    disputed_kopecks: Kopecks = Field(description="of what is open: not asked for until a dispute is decided")
    bills: list[BillSummary]


class Accounts(Model):
    """The caller's accounts."""

    accounts: list[Account]


class SplitPart(Model):
    """What one supplier would get."""

    line: int
    supplier: int
    supplier_name: str
    service: str
    amount_kopecks: Kopecks


class Split(Model):
    """How a sum would be divided over what is open on a bill, to the kopeck; no more is taken than can be paid."""

    bill: BillName
    amount_kopecks: Kopecks
    open_kopecks: Kopecks
    parts: list[SplitPart]
    passed_over: list[SplitPart] = Field(description="what stays open because its supplier is suspended")


class PaymentWanted(Model):
    """A payment of a bill through the pooled agent: at most this much of what is open."""

    bill: BillName
    maximum_kopecks: int = Field(gt=0, lt=2**48)


class AccountShare(Model):
    """What one bill of an account would get."""

    bill: BillName
    period: Month
    amount_kopecks: Kopecks


class AccountDivision(Model):
    """Where a sum for an account goes: the oldest debt first, penalties last, what is in dispute not at all."""

    account: str
    amount_kopecks: Kopecks = Field(description="what can be taken of the sum")
    parts: list[AccountShare]
    waiting_kopecks: Kopecks = Field(description="open on bills that wait for a dispute")


class AccountPaymentWanted(Model):
    """A sum for an account through the pooled agent, over as many of its bills as it reaches."""

    account: str = Field(min_length=1, max_length=64)
    amount_kopecks: int = Field(gt=0, lt=2**48)


class PrepaymentWanted(Model):
    """A payment ahead to one supplier of an account."""

    account: str = Field(min_length=1, max_length=64)
    supplier: int = Field(ge=1, lt=2**16)
    amount_kopecks: int = Field(gt=0, lt=2**48)


class DisputeWanted(Model):
    """A dispute of a line of a bill: what is wrong with it, in the resident's own words."""

    line: int = Field(ge=0, lt=32)
    ground: str = Field(min_length=3, max_length=1000, pattern=r"\S")


class DecisionWanted(Model):
    """The decision of a dispute, and the act that it stands on."""

    upheld: bool = Field(description="for the resident: the month is worked out again under the act")
    act: str = Field(min_length=3, max_length=200, pattern=r"\S")


class OrderWanted(Model):
    """A resident's signed order: the typed data of ``GET /v1/bills/{bill}/order`` and its signature."""

    bill: BillName
    payer: HexAddress
    maximum_kopecks: int = Field(gt=0, lt=2**48)
    nonce: str = Field(pattern="^[0-9]{1,78}$")
    valid_before: int = Field(gt=0, lt=2**40)
    signature: str = Field(pattern="^0x[0-9a-fA-F]{130}$")


class Order(Model):
    """What a wallet is to sign (EIP-712), and how it comes back."""

    bill: BillName
    payer: HexAddress
    maximum_kopecks: Kopecks
    nonce: str
    valid_before: int
    digest: Hex32
    typed_data: dict[str, object]


class Item(Model):
    """Something that was asked for and is on its way: accepted durably, then done or failed with a reason."""

    id: str
    kind: str
    state: Literal["waiting", "sent", "done", "failed"]
    bill: BillName | None = None
    account: str | None = None
    supplier: int | None = None
    maximum_kopecks: Kopecks | None = None
    paid_kopecks: Kopecks | None = Field(None, description="what was really taken: never more than the maximum")
    tx_hash: Hex32 | None = None
    block_number: int | None = None
    finalised: bool = Field(False, description="nothing can change this end any more")
    slug: str | None = Field(None, description="why it failed, as a problem's type")
    reason: str | None = None


class Supplier(Model):
    """A supplier as the registry knows it."""

    supplier: int
    name: str
    wallet: HexAddress
    active: bool


class Suppliers(Model):
    """All suppliers."""

    suppliers: list[Supplier]


class GrantBatch(Model):
    """A batch of grants of a welfare wallet: posted, moved to suppliers, left."""

    batch: int
    wallet: HexAddress
    root: Hex32
    count: int
    total_kopecks: Kopecks
    used_kopecks: Kopecks
    reversed: bool
    act: Hex32
    finalised: bool


class GrantBatches(Model):
    """All batches, newest first."""

    batches: list[GrantBatch]


class WelfareCase(Model):
    """A case of help in sums: what it was decided by (income, family) stays with the welfare body."""

    account: str
    case: str
    kind: Literal["subsidy", "compensation"]
    first: str = Field(description="the first month, YYYY-MM")
    last: str | None = Field(description="the last month; none where the case is open")
    revision: int
    months_given: int
    given_kopecks: Kopecks
    owed_back_kopecks: Kopecks


class WelfareCases(Model):
    """All cases of help, by account."""

    cases: list[WelfareCase]


class StatementRow(Model):
    """One receipt of a supplier."""

    at: datetime
    kind: str
    bill: BillName | None
    line: int | None
    payer: Party | None
    amount_kopecks: Kopecks
    tx_hash: Hex32
    block_number: int
    finalised: bool


class Charged(Model):
    """What a supplier was owed by one run."""

    run: int
    period: Month
    lines: int
    total_kopecks: Kopecks
    root: Hex32


class Statement(Model):
    """What a supplier received in a month, and what was charged for it."""

    supplier: int
    name: str
    wallet: HexAddress
    zone: str
    period: Month
    first: datetime
    last: datetime
    received_kopecks: Kopecks
    balance_kopecks: Kopecks
    rows: list[StatementRow]
    charged: list[Charged]
