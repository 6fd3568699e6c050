"""The play: what the town's parties do, in order, each by its own key and through its own door.

Every act has a name of its own, so that a play broken off anywhere goes on from there and does nothing twice.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from billing.requests import AgentPayment, Prepayment, RunRequest
from contracts.wire.calls import encode_mint, encode_set_supplier_active
from contracts.wire.ids import Hash, Period, SupplierId
from contracts.wire.keccak import keccak
from scripts.cli.console import Steps
from scripts.hands import office_policy, signed
from scripts.town import stories, welfare
from scripts.town.feed import DAYS_A_BATCH, Feed, concentrator_spec, stop_concentrators
from scripts.town.plan import Habit
from scripts.town.register import documents_of_town, open_books
from scripts.town.residents import Residents
from scripts.town.setup import concentrator, register, source_ids, sources_of
from scripts.town.stage import Stage
from scripts.town.two_hands import CHIEF, CLERK, posted

AGENT_FLOAT_KOPECKS = 5_000_000
"""What the bank mints to the agent and the welfare body for each account and month: more than a bill."""
PREPAID_KOPECKS = 50_000
FIRST_SERVICES = ("oracle", "ledger", "holder")
LATER_SERVICES = ("billing", "api")
SERVICES = (*FIRST_SERVICES, *LATER_SERVICES)
PAUSED_SUPPLIER = SupplierId(5)


class Play:
    """One town's play."""

    def __init__(self, stage: Stage, steps: Steps) -> None:
        self._stage = stage
        self._steps = steps
        self._town = stage.town

    def run(self) -> None:
        """From bare contracts to the last payment."""
        self.open()
        # Hashing passwords takes a while on purpose; it is done by the time anybody logs in.
        with ThreadPoolExecutor(1) as desk:
            enrolled = desk.submit(Residents.enrol, self._stage)
            self.send_readings()
            enrolled.result()
        for number, period in enumerate(self._town.months):
            self.bill(period)
            self.grant(period)
            self.pay(period, suspended=number == 0)
            if number == 0:
                stories.correct(self._stage, self._steps, period)
                self.prepay(period)
        self.settle_down()

    # --- before the first reading ---

    def open(self) -> None:
        """Keys, parties, tariffs, accounts, money in the wallets; then the services."""
        stage = self._stage
        running = stage.running
        for name, _ in sources_of(self._town):
            stage.home.key(name)
        stage.home.key("relay")
        stage.home.token("files")
        with self._steps.step("register", "registering suppliers, sources, meters, tariffs and accounts"):
            running.start_services(FIRST_SERVICES[:1])
            register(self._town, stage.home, stage.parties, stage.reader)
            for document in documents_of_town():
                tariff = stage.tariffs.add(document)
                data = stage.tariffs.publish_call(tariff)
                stage.parties.act("operator", f"publish {tariff.hex()}", "TariffBook", data)
            self._fund()
            open_books(self._town, stage.accounts, stage.home.key("operator-salt"))
            stage.policies.set(office_policy(stage.home, [CLERK, CHIEF], needs_passports=True))
            stage.parties.settle()
        with self._steps.step("services", "starting the services"):
            running.start_services((*FIRST_SERVICES[1:], *LATER_SERVICES))
            ids = source_ids(self._town)
            for house in self._town.houses:
                source = ids[concentrator(house)]
                running.supervisor.start(concentrator_spec(house, source, stage.home, running.ports))

    def _fund(self) -> None:
        """The bank mints against deposit references, to each wallet that will pay."""
        stage = self._stage
        months = len(self._town.months)
        wanted = {"agent": len(self._town.flats), "welfare": len(self._town.flats)}
        wanted |= {flat.wallet: 1 for flat in self._town.flats if flat.habit is Habit.WALLET}
        for party, accounts in wanted.items():
            amount = AGENT_FLOAT_KOPECKS * months * accounts
            deposit = Hash(keccak(f"deposit {party}".encode()))
            data = encode_mint(stage.parties.address(party), amount, deposit)
            stage.parties.act("bank", f"mint to {party}", "Rouble", data)

    # --- a month ---

    def send_readings(self) -> None:
        """Every house's concentrator signs its days; waits until each chain may be billed to its end."""
        stage = self._stage
        houses = len(self._town.houses)
        total = -(-len(self._town.days) // DAYS_A_BATCH) * houses
        with self._steps.step("readings", "leaving the meters' days with the concentrators", total) as step:
            Feed(self._town, stage.home).send(step.at)
        with self._steps.step("anchored", "signing, anchoring and acknowledging the batches", total) as step:
            ids = {int(source_ids(self._town)[concentrator(house)]) for house in self._town.houses}

            def billable() -> bool:
                heads = [head for head in stage.ledger.chain_heads() if int(head.source) in ids]
                step.at(sum(head.sequence for head in heads))
                return sum(head.sequence for head in heads) >= total

            stage.until(billable, "readings anchored, final and acknowledged by two holders")
        stop_concentrators(self._town, stage.running.supervisor)

    def bill(self, period: Period) -> None:
        """A run for the month: asked for by one hand, approved by another, proposed, activated, final."""
        stage = self._stage
        with self._steps.step("billing", f"billing {period}"):
            posted(stage, f"run {period}", signed(stage.home, RunRequest(period), CLERK), f"the run of {period}")
            wanted = len(self._town.flats)
            stage.until(lambda: len(stage.bills(period)) == wanted, f"the bills of {period}")

    def grant(self, period: Period) -> None:
        """The welfare body decides, posts its batch from its own wallet, and the collector applies it."""
        flats = [flat for flat in self._town.flats if flat.benefit]
        with self._steps.step("grants", f"granting benefits on {period}", len(flats)):
            welfare.decide(self._stage, flats)
            self._stage.finish(welfare.grant(self._stage, period), f"the benefits on {period}")

    def pay(self, period: Period, suspended: bool) -> None:
        """Residents pay as they are used to; in the first month one supplier is suspended for a while."""
        stage = self._stage
        residents = Residents(stage)
        wallets = [flat for flat in self._town.flats if flat.habit is Habit.WALLET]
        with self._steps.step("orders", f"paying {period} by signed orders", len(wallets)):
            if suspended:
                self._set_active(False, period)
            residents.pay_by_order(wallets, period, "first")
            if suspended:
                self._set_active(True, period)
                residents.pay_by_order(wallets, period, "rest")
        payers = [flat for flat in self._town.flats if flat.habit not in (Habit.WALLET, Habit.DEBTOR)]
        with self._steps.step("payments", f"paying {period} through the agent", len(payers)) as step:
            bills = stage.bills(period)
            items = []
            for flat in payers:
                bill = bills[flat.account]
                share = 2 if flat.habit is Habit.PART else 1
                if bill.open_kopecks // share:
                    payment = AgentPayment(bill.key, bill.open_kopecks // share)
                    items.append(stage.ask(f"pay {period} {flat.account}", payment))
            stage.finish(items, f"the agent's payments of {period}", step.at)
        self.settle_down()

    def _set_active(self, active: bool, period: Period) -> None:
        stage = self._stage
        act = "resume" if active else "suspend"
        data = encode_set_supplier_active(PAUSED_SUPPLIER, active)
        stage.parties.act("operator", f"{act} supplier {PAUSED_SUPPLIER} in {period}", "Registry", data)
        stage.parties.settle()
        self.settle_down()

    def prepay(self, period: Period) -> None:
        """Some pay their electricity ahead; the next bill nets it."""
        stage = self._stage
        ahead = [flat for flat in self._town.flats if flat.habit is Habit.PREPAYER]
        with self._steps.step("prepayments", "paying ahead", len(ahead)):
            items = [
                stage.ask(f"prepay {period} {flat.account}", Prepayment(flat.account, SupplierId(1), PREPAID_KOPECKS))
                for flat in ahead
            ]
            stage.finish(items, "the prepayments")
            self.settle_down()

    def settle_down(self) -> None:
        """Waits until everything mined by now is final in the ledger."""
        stage = self._stage
        height = stage.reader.head().number
        stage.until(lambda: stage.ledger.finalized_height() >= height, f"block {height} final in the ledger")
