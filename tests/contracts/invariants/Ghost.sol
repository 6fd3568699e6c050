// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChargeBook} from "../../../contracts/src/interfaces/IChargeBook.sol";
import {ISettlement} from "../../../contracts/src/interfaces/ISettlement.sol";
import {BillKey, BillState} from "../../../contracts/src/types/Types.sol";
import {Billing} from "../base/Billing.sol";
import {Vm} from "../base/Vm.sol";

/// @title What the town should look like, booked from the contracts' own events and nothing else
/// @notice Every action of the handler is booked here from its logs, as a ledger would do it; the invariants hold the
/// result against the chain's state. Whoever's balance falls must be the one that the action had the right to debit.
abstract contract Ghost is Billing {
    struct Line {
        uint16 supplier;
        uint48 charge;
        uint48 paid;
        uint48 granted;
        uint48 netted;
        uint48 writtenOff;
        uint48 refunded;
        address granter;
    }

    struct Known {
        uint32 run;
        uint32 index;
        uint8 kind;
        BillState state;
        uint8 closings; // times it became paid
        uint256 corrects; // place of the bill it corrects, from 1; 0 for none
        uint8 creditLine;
        uint48 credit;
        bytes32 prepayment;
    }

    struct Prepayment {
        bytes32 id;
        uint16 supplier;
        uint48 left;
    }

    struct Grant {
        uint32 batch;
        uint256 bill;
        uint8 line;
        uint48 maximum;
        uint40 expiresAt;
        address wallet;
        uint48 used;
        bool over; // used, or reversed
        bool batchReversed;
    }

    Known[] public bills;
    mapping(uint256 bill => Line[]) internal lines;
    mapping(uint64 rawKey => uint256 placeFromOne) internal placeOf;

    Prepayment[] public prepayments;
    mapping(bytes32 id => uint256 placeFromOne) internal prepaymentPlace;

    Grant[] public grants;
    mapping(uint32 batch => uint256 placeFromOne) internal grantPlace;
    mapping(uint32 batch => uint64) public batchTotal;

    address[] public accounts;
    mapping(address account => uint256) public expected;
    uint256 public supply;

    mapping(uint16 supplier => address) public payoutNow;
    mapping(uint16 supplier => bool) public active;
    mapping(address account => bool) public frozen;

    /// @dev What went wrong, in words; empty while all is well.
    string public breach;

    // --- accounts ---

    function accountCount() external view returns (uint256) {
        return accounts.length;
    }

    function billCount() external view returns (uint256) {
        return bills.length;
    }

    function grantCount() external view returns (uint256) {
        return grants.length;
    }

    function prepaymentCount() external view returns (uint256) {
        return prepayments.length;
    }

    function linesOf(uint256 bill) external view returns (Line[] memory) {
        return lines[bill];
    }

    function _knowAccount(address account) internal {
        accounts.push(account);
    }

    function _mint(address account, uint256 amount) internal {
        fund(account, amount);
        expected[account] += amount;
        supply += amount;
    }

    function _break(bool wrong, string memory what) internal {
        if (wrong && bytes(breach).length == 0) breach = what;
    }

    // --- bills ---

    function _know(uint32 run, uint32 index, uint8 kind, uint16[] memory suppliers, uint48[] memory charges_)
        internal
        returns (uint256 place)
    {
        place = bills.length;
        bills.push();
        Known storage known = bills[place];
        (known.run, known.index, known.kind) = (run, index, kind);
        for (uint256 i = 0; i < suppliers.length; ++i) {
            lines[place].push(Line(suppliers[i], charges_[i], 0, 0, 0, 0, 0, address(0)));
        }
        placeOf[rawKey(run, index)] = place + 1;
    }

    function _open(Line memory line) internal pure returns (uint256) {
        return uint256(line.charge) - line.paid - line.granted - line.netted - line.writtenOff;
    }

    function _payable(uint16 supplier) internal view returns (bool) {
        return supplier != 0 && supplier <= SUPPLIERS && active[supplier] && !frozen[payoutNow[supplier]];
    }

    /// @notice What is open on the lines of a bill whose suppliers can be paid.
    function _payableOpen(uint256 bill) internal view returns (uint256 sum) {
        for (uint256 i = 0; i < lines[bill].length; ++i) {
            Line memory line = lines[bill][i];
            if (_payable(line.supplier)) sum += _open(line);
        }
    }

    // --- booking ---

    /// @notice Books what the settlement and the charge book said since `vm.recordLogs`.
    /// @param mayPay The only account that this action may debit as a payer.
    /// @return taken What it paid in receipts.
    function _book(address mayPay) internal returns (uint256 taken) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            Vm.Log memory log = logs[i];
            bytes32 topic = log.topics[0];
            if (log.emitter == address(charges) && topic == IChargeBook.BillSuperseded.selector) {
                _setState(log.topics[1], BillState.Superseded);
            }
            if (log.emitter != address(settlement)) continue;
            if (topic == ISettlement.BillPaid.selector) taken += _bookPaid(log, mayPay);
            else if (topic == ISettlement.BillSkipped.selector) _bookState(log);
            else if (topic == ISettlement.BillStateChanged.selector) _bookState(log);
            else if (topic == ISettlement.GrantApplied.selector) _bookGrant(log);
            else if (topic == ISettlement.Prepaid.selector) taken += _bookPrepaid(log, mayPay);
            else if (topic == ISettlement.PrepaymentNetted.selector) _bookNetted(log);
            else if (topic == ISettlement.CreditApplied.selector) _bookCredit(log);
            else if (topic == ISettlement.Refunded.selector) _bookRefund(log);
        }
    }

    /// @dev After a call that was refused: forge keeps the logs of what was rolled back.
    function _discard() internal {
        vm.getRecordedLogs();
    }

    function _place(bytes32 topic) private returns (uint256) {
        uint256 place = placeOf[uint64(uint256(topic))];
        _break(place == 0, "an event names a bill that nobody posted");
        return place == 0 ? 0 : place - 1;
    }

    function _setState(bytes32 topic, BillState state) private {
        Known storage known = bills[_place(topic)];
        _break(known.state >= BillState.Paid && known.state != state, "a closed bill changed its state");
        if (state == BillState.Paid && known.state != BillState.Paid) ++known.closings;
        known.state = state;
    }

    function _bookState(Vm.Log memory log) private {
        _setState(log.topics[1], abi.decode(log.data, (BillState)));
    }

    function _bookPaid(Vm.Log memory log, address mayPay) private returns (uint256 taken) {
        uint256 bill = _place(log.topics[1]);
        address from = address(uint160(uint256(log.topics[2])));
        _break(from != mayPay, "a receipt names another payer");
        (bytes memory legs, BillState state) = abi.decode(log.data, (bytes, BillState));
        _break(legs.length != 8 * lines[bill].length, "a receipt has not a leg a line");
        for (uint256 i = 0; i < lines[bill].length; ++i) {
            uint64 leg = _word(legs, i);
            Line storage line = lines[bill][i];
            _break(uint16(leg >> 48) != line.supplier, "a leg names another supplier");
            line.paid += uint48(leg);
            _move(from, payoutNow[line.supplier], uint48(leg));
            taken += uint48(leg);
        }
        _break(taken == 0, "a receipt of nothing");
        _setState(log.topics[1], state);
    }

    function _bookGrant(Vm.Log memory log) private {
        (uint8 line, uint16 supplier, uint48 amount, BillState state) =
            abi.decode(log.data, (uint8, uint16, uint48, BillState));
        Grant storage grant = grants[grantPlace[uint32(uint256(log.topics[1]))] - 1];
        uint256 bill = _place(log.topics[3]);
        _break(grant.over, "a grant was used twice");
        _break(grant.bill != bill || grant.line != line, "a grant paid on another line");
        _break(amount == 0 || amount > grant.maximum, "a grant paid more than its maximum");
        _break(vm.getBlockTimestamp() >= grant.expiresAt, "an expired grant paid");
        _break(supplier != lines[bill][line].supplier, "a grant paid another supplier");
        (grant.used, grant.over) = (amount, true);
        lines[bill][line].granted += amount;
        lines[bill][line].granter = grant.wallet;
        _move(grant.wallet, payoutNow[supplier], amount);
        _setState(log.topics[3], state);
    }

    function _bookPrepaid(Vm.Log memory log, address mayPay) private returns (uint256) {
        address from = address(uint160(uint256(log.topics[2])));
        uint16 supplier = uint16(uint256(log.topics[3]));
        (uint48 amount,) = abi.decode(log.data, (uint48, bytes32));
        _break(from != mayPay, "a prepayment names another payer");
        prepayments.push(Prepayment(log.topics[1], supplier, amount));
        prepaymentPlace[log.topics[1]] = prepayments.length;
        _move(from, payoutNow[supplier], amount);
        return amount;
    }

    function _bookNetted(Vm.Log memory log) private {
        (uint8 line, uint16 supplier, uint48 amount) = abi.decode(log.data, (uint8, uint16, uint48));
        uint256 bill = _place(log.topics[2]);
        Prepayment storage prepayment = prepayments[prepaymentPlace[log.topics[1]] - 1];
        _break(prepayment.supplier != supplier, "a prepayment of another supplier was netted");
        _break(bills[bill].prepayment != log.topics[1], "a prepayment was netted that the bill does not name");
        prepayment.left -= amount; // reverts, and fails the campaign, when more is netted than was prepaid
        lines[bill][line].netted += amount;
    }

    function _bookCredit(Vm.Log memory log) private {
        (uint8 line, uint48 writtenOff) = abi.decode(log.data, (uint8, uint48));
        lines[_place(log.topics[2])][line].writtenOff += writtenOff;
    }

    function _bookRefund(Vm.Log memory log) private {
        (uint8 line, address recipient, uint48 toPayer, address wallet, uint48 toWelfare) =
            abi.decode(log.data, (uint8, address, uint48, address, uint48));
        uint256 bill = _place(log.topics[2]);
        uint16 supplier = uint16(uint256(log.topics[3]));
        _break(toWelfare != 0 && wallet != lines[bill][line].granter, "welfare's money went to another wallet");
        lines[bill][line].refunded += toPayer + toWelfare;
        _move(payoutNow[supplier], recipient, toPayer);
        if (toWelfare != 0) _move(payoutNow[supplier], wallet, toWelfare);
    }

    function _move(address from, address to, uint256 amount) private {
        if (amount == 0) return;
        expected[from] -= amount;
        expected[to] += amount;
    }

    function _word(bytes memory legs, uint256 i) private pure returns (uint64 word) {
        assembly ("memory-safe") {
            word := shr(192, mload(add(add(legs, 32), mul(8, i))))
        }
    }
}
