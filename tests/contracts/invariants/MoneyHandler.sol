// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChargeBook} from "../../../contracts/src/interfaces/IChargeBook.sol";
import {
    BillKey, BillState, GrantClaim, ProvenBill, SplitAuthorization, SupplierId
} from "../../../contracts/src/types/Types.sol";
import {Blobs} from "../base/Blobs.sol";
import {Ghost} from "./Ghost.sol";

/// @title Everything people do to bills and money, in any order
/// @notice No function here may revert: what must be refused is tried and caught, and `breach` says when it was not.
abstract contract MoneyHandler is Ghost {
    /// @dev Ways that must have been gone, or the campaign proves nothing; see `reached`.
    enum Path {
        Posted,
        Corrected,
        CorrectionLost,
        Noted,
        PaidWhole,
        PaidPart,
        PayRefused,
        Ordered,
        OrderSkipped,
        ManyOrders,
        Batched,
        BatchRepeated,
        BatchRefused,
        GrantPosted,
        GrantApplied,
        GrantSkipped,
        GrantRefused,
        GrantReversed,
        WrittenOff,
        Refunded,
        RefundRefused,
        Prepaid,
        Netted,
        NetRefused,
        Suspended,
        Frozen,
        Paused,
        PayoutChanged,
        Seized,
        Attacked
    }

    struct Correction {
        uint32 run;
        uint256 bill;
        uint40 at;
        uint48 charge;
    }

    struct Sent {
        address agent;
        bytes32 ref;
        bytes call;
    }

    uint256[30] public reached;
    uint256 public calls;

    address[3] internal payers;
    Correction[] internal corrections;
    uint32[] internal billRuns;
    uint256[] internal notes;
    Sent[] internal sent;
    SplitAuthorization internal lastOrder;
    uint256 internal lastOrderBill;
    uint256 internal counter;

    function setUp() public override {
        super.setUp();
        payers = [payer, actor("second payer"), actor("third payer")];
        for (uint16 i = 1; i <= SUPPLIERS; ++i) {
            (payoutNow[i], active[i]) = (payout(i), true);
            _knowAccount(payout(i));
        }
        address[8] memory others =
            [payers[0], payers[1], payers[2], agent, otherAgent, welfare, otherWelfare, stranger];
        for (uint256 i = 0; i < others.length; ++i) {
            _knowAccount(others[i]);
            _mint(others[i], 1_000_000);
        }
        _knowAccount(bank);
        _knowAccount(actor("recipient"));
        _postBills(3, 1);
    }

    function hit(Path path) internal {
        ++reached[uint256(path)];
    }

    // --- runs, corrections, notes ---

    function postRun_(uint256 seed) external {
        ++calls;
        if (billRuns.length < 25) _postBills(seed, 1 + seed % 4);
    }

    function proposeCorrection(uint256 seed) external {
        ++calls;
        uint256 bill = _pick(seed, BillState.Open);
        if (bills[bill].state != BillState.Open || corrections.length >= 20) return;
        uint48 charge = uint48(bound(seed, 1, 5000));
        BillKey[] memory old = _keys(key(bills[bill].run, bills[bill].index));
        uint32 run = propose(_blobs(billOf(charge)), old);
        corrections.push(Correction(run, bill, uint40(vm.getBlockTimestamp()) + ACTIVATION_DELAY, charge));
    }

    /// @dev The race: whatever happened to the bill since, the correction wins only over an open one.
    function activateCorrection(uint256 seed) external {
        ++calls;
        if (corrections.length == 0) return;
        uint256 which = seed % corrections.length;
        Correction memory c = corrections[which];
        corrections[which] = corrections[corrections.length - 1];
        corrections.pop();
        if (vm.getBlockTimestamp() < c.at) vm.warp(c.at);
        bool open = bills[c.bill].state == BillState.Open;
        BillKey[] memory old = _keys(key(bills[c.bill].run, bills[c.bill].index));
        vm.recordLogs();
        vm.prank(stranger);
        try charges.activate(c.run, old) {
            _break(!open, "a bill that money had moved on was superseded");
            _know(c.run, 0, 0, _suppliers(1), _list(c.charge));
            billRuns.push(c.run);
            hit(Path.Corrected);
            _book(address(0));
        } catch {
            _break(open, "a correction of an open bill was refused");
            hit(Path.CorrectionLost);
            _discard();
        }
    }

    function postNote(uint256 seed) external {
        ++calls;
        if (notes.length >= 25) return;
        uint256 bill = _pick(seed, BillState.Paid);
        Known memory k = bills[bill];
        if (k.kind == Blobs.CREDIT_NOTE || k.state == BillState.Superseded) return;
        uint256 count = lines[bill].length;
        (uint16[] memory suppliers, uint48[] memory amounts) = (new uint16[](count), new uint48[](count));
        for (uint256 i = 0; i < count; ++i) {
            suppliers[i] = lines[bill][i].supplier;
            amounts[i] = uint48(uint256(keccak256(abi.encode(seed, i))) % (uint256(lines[bill][i].charge) * 2 + 1));
        }
        bytes memory blob =
            Blobs.note(_commit(), Blobs.CREDIT_NOTE, suppliers, amounts, rawKey(k.run, k.index));
        uint32 run = postRun(blob);
        uint256 place = _know(run, 0, Blobs.CREDIT_NOTE, suppliers, amounts);
        bills[place].corrects = bill + 1;
        notes.push(place);
        hit(Path.Noted);
    }

    // --- suppliers, the bank, the guardian ---

    function suspend(uint256 seed) external {
        ++calls;
        uint16 id = uint16(1 + seed % SUPPLIERS);
        active[id] = !active[id];
        setActive(id, active[id]);
        hit(Path.Suspended);
    }

    function freezePayout(uint256 seed) external {
        ++calls;
        address wallet = payoutNow[uint16(1 + seed % SUPPLIERS)];
        vm.prank(bank);
        if (frozen[wallet]) rouble.unfreeze(wallet, keccak256("act"));
        else rouble.freeze(wallet, keccak256("act"));
        frozen[wallet] = !frozen[wallet];
        hit(Path.Frozen);
    }

    function seizeFromAPayer(uint256 seed) external {
        ++calls;
        address from = payers[seed % 3];
        uint256 amount = expected[from] / 7;
        vm.startPrank(bank);
        rouble.freeze(from, keccak256("act"));
        rouble.seize(from, bank, amount, keccak256("act"));
        rouble.unfreeze(from, keccak256("act"));
        vm.stopPrank();
        expected[from] -= amount;
        expected[bank] += amount;
        hit(Path.Seized);
    }

    function changePayout(uint256 seed) external {
        ++calls;
        if (accounts.length >= 25) return;
        uint16 id = uint16(1 + seed % SUPPLIERS);
        SupplierId supplier = SupplierId.wrap(id);
        address to = actor(string.concat("wallet ", vm.toString(++counter)));
        vm.prank(supplierKey(id));
        registry.proposePayout(supplier, to);
        vm.prank(operator);
        registry.approvePayout(supplier, to);
        vm.warp(vm.getBlockTimestamp() + PAYOUT_DELAY);
        registry.executePayout(supplier);
        payoutNow[id] = to;
        _knowAccount(to);
        hit(Path.PayoutChanged);
    }

    /// @dev Nothing moves in a pause; then it is over.
    function pauseAndTry(uint256 seed) external {
        ++calls;
        vm.prank(guardian);
        settlement.pause(uint40(vm.getBlockTimestamp()) + 1);
        ProvenBill memory bill = _proven(seed % bills.length);
        vm.prank(payers[0]);
        try settlement.pay(bill, type(uint256).max) {
            _break(true, "a bill was paid in a pause");
        } catch {}
        try settlement.net(bill) {
            _break(true, "a bill was netted in a pause");
        } catch {}
        vm.prank(payers[0]);
        try settlement.prepay(_supplier(1), 1, bytes32(seed)) {
            _break(true, "money was prepaid in a pause");
        } catch {}
        vm.prank(guardian);
        settlement.pause(0);
        hit(Path.Paused);
    }

    // --- shared ---

    function _postBills(uint256 seed, uint256 count) internal {
        bytes[] memory blobs = new bytes[](count);
        uint48[][] memory amounts = new uint48[][](count);
        uint16[][] memory suppliers = new uint16[][](count);
        Blobs.Credit[] memory credits = new Blobs.Credit[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 s = uint256(keccak256(abi.encode(seed, i, counter++)));
            (suppliers[i], amounts[i]) = _randomLines(s);
            if (prepayments.length != 0 && s % 3 == 0) credits[i] = _randomCredit(s, suppliers[i]);
            blobs[i] = credits[i].prepayment == 0
                ? Blobs.bill(_commit(), suppliers[i], amounts[i])
                : Blobs.billWithCredits(_commit(), suppliers[i], amounts[i], _one(credits[i]));
        }
        uint32 run = postRun(blobs);
        billRuns.push(run);
        for (uint32 i = 0; i < count; ++i) {
            Known storage known = bills[_know(run, i, Blobs.BILL, suppliers[i], amounts[i])];
            known.creditLine = credits[i].line;
            (known.credit, known.prepayment) = (credits[i].amount, credits[i].prepayment);
        }
        hit(Path.Posted);
    }

    /// @dev One to five lines; now and then one of nothing, or of a supplier that nobody knows.
    function _randomLines(uint256 s) private pure returns (uint16[] memory suppliers, uint48[] memory amounts) {
        uint256 count = 1 + (s >> 8) % 5;
        suppliers = new uint16[](count);
        amounts = new uint48[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 x = uint256(keccak256(abi.encode(s, i)));
            suppliers[i] = x % 40 == 0 ? 999 : uint16(1 + x % SUPPLIERS);
            amounts[i] = (x >> 16) % 12 == 0 ? 0 : uint48(1 + (x >> 32) % 4000);
        }
    }

    /// @dev Of one of the last prepayments, on a line of its supplier where there is one.
    function _randomCredit(uint256 s, uint16[] memory suppliers) private view returns (Blobs.Credit memory credit) {
        uint256 last = prepayments.length;
        Prepayment memory p = prepayments[last - 1 - (s >> 64) % (last < 4 ? last : 4)];
        uint8 line = uint8((s >> 96) % suppliers.length);
        for (uint8 i = 0; i < suppliers.length; ++i) {
            if (suppliers[i] == p.supplier) line = i;
        }
        return Blobs.Credit(line, uint48(1 + (s >> 128) % 3000), p.id);
    }

    /// @dev A bill in the state that is looked for, if one of twelve tries finds it.
    function _pick(uint256 seed, BillState state) internal view returns (uint256 bill) {
        for (uint256 i = 0; i < 12; ++i) {
            bill = uint256(keccak256(abi.encode(seed, i))) % bills.length;
            if (bills[bill].kind != Blobs.CREDIT_NOTE && bills[bill].state == state) return bill;
        }
    }

    function _proven(uint256 bill) internal view returns (ProvenBill memory) {
        return proven(bills[bill].run, bills[bill].index);
    }

    function _topUp(address account, uint256 needed) internal {
        if (expected[account] < needed) _mint(account, needed - expected[account]);
    }

    function _one(Blobs.Credit memory credit) private pure returns (Blobs.Credit[] memory list) {
        list = new Blobs.Credit[](1);
        list[0] = credit;
    }
}
