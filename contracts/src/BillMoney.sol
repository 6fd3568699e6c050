// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChargeBook} from "./interfaces/IChargeBook.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {IRouble} from "./interfaces/IRouble.sol";
import {ISettlement} from "./interfaces/ISettlement.sol";
import {Allocation} from "./libraries/Allocation.sol";
import {Bill} from "./libraries/Bill.sol";
import {Merkle} from "./libraries/Merkle.sol";
import {Payees} from "./libraries/Payees.sol";
import {BillKey, BillState, LineRecord, ProvenBill, SupplierId} from "./types/Types.sol";

/// @title What is open on a bill, and what a sum does to it
/// @notice The part of the Settlement that counts; moving is left to the Settlement. A bill paid at once and in full
/// leaves no record of its lines: its state says it all. Any other has a record for each line that something moved on.
abstract contract BillMoney is ISettlement {
    using Payees for uint256[];

    struct Prepayment {
        // slot 0
        SupplierId supplier;
        uint48 left;
        bool made;
    }

    // Immutables are written as constants are.
    // slither-disable-start naming-convention
    IRegistry public immutable REGISTRY;
    IChargeBook public immutable CHARGES;
    IRouble public immutable ROUBLE;
    // slither-disable-end naming-convention

    // slot 0: read together for every payment
    address internal _payoutTable;
    uint40 internal _pausedUntil;

    mapping(BillKey bill => mapping(uint256 line => LineRecord)) private _records;
    mapping(bytes32 prepayment => Prepayment) internal _prepayments;

    constructor(IRegistry registry, IChargeBook charges, IRouble rouble) {
        REGISTRY = registry;
        CHARGES = charges;
        ROUBLE = rouble;
    }

    /// @inheritdoc ISettlement
    function lineRecord(BillKey bill, uint8 line) external view returns (LineRecord memory) {
        return _records[bill][line];
    }

    /// @inheritdoc ISettlement
    function prepaymentOf(bytes32 prepayment) external view returns (SupplierId supplier, uint48 left) {
        return (_prepayments[prepayment].supplier, _prepayments[prepayment].left);
    }

    function _record(BillKey key, uint256 line) internal view returns (LineRecord storage) {
        return _records[key][line];
    }

    /// @dev Checks a bill against its run and its own layout.
    function _prove(ProvenBill calldata bill) internal view returns (BillKey key, BillState state) {
        key = Bill.key(bill.run, bill.index);
        // A call for each, to our own contract, which calls nobody back.
        // slither-disable-next-line calls-loop
        state = CHARGES.proveBill(bill.run, bill.index, Merkle.leafHash(bill.blob), bill.proof);
        require(Bill.wellFormed(bill.blob), Settlement_BadBill(key));
    }

    /// @dev A word a supplier, from the payout table; see `Payees`. Nothing is settled during a pause.
    function _payees() internal view returns (uint256[] memory) {
        uint40 until = _pausedUntil;
        // Hours and days are counted here: the seconds a validator can choose change nothing.
        // slither-disable-next-line timestamp
        require(block.timestamp >= until, Settlement_Paused(until));
        return abi.decode(_payoutTable.code, (uint256[]));
    }

    function _requirePayable(BillKey key, bytes calldata blob) internal pure {
        require(Bill.wellFormed(blob), Settlement_BadBill(key));
        uint8 kind = Bill.kind(blob);
        require(kind != Bill.CREDIT_NOTE, Settlement_NotPayable(key, kind));
    }

    /// @dev Takes at most `maximum` of what is open, adds it to what each supplier is owed, and writes the
    /// receipt. Nothing open, or nothing that can be paid: 0 and the state as it was, or as a netting left it.
    function _take(
        BillKey key,
        bytes calldata blob,
        BillState state,
        uint256 maximum,
        address payer,
        bytes32 ref,
        uint256[] memory payees
    ) internal returns (uint256 total, BillState next) {
        bool netted = _net(key, blob);
        (uint256[] memory open, uint256 payableSum, uint256 openSum) = _payableOpen(key, blob, payees);
        total = payableSum < maximum ? payableSum : maximum;
        if (total != 0) {
            uint256[] memory parts =
                total == payableSum ? open : Allocation.byLargestRemainder(total, open);
            bytes memory legs = _bookParts(key, blob, parts, payees);
            next = total == openSum ? BillState.Paid : BillState.Partial;
            emit BillPaid(key, payer, ref, legs, next);
        } else if (openSum == 0) {
            next = BillState.Paid;
        } else {
            next = netted ? BillState.Partial : state;
        }
    }

    /// @dev What is open on each line that can be paid, their sum, and the sum over all lines.
    function _payableOpen(BillKey key, bytes calldata blob, uint256[] memory payees)
        private
        returns (uint256[] memory open, uint256 payableSum, uint256 openSum)
    {
        uint256 count = Bill.lineCount(blob);
        open = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 left = _openOn(key, blob, i);
            if (left == 0) continue;
            openSum += left;
            // Of the pair only one is needed here.
            // slither-disable-next-line unused-return
            (uint256 supplier,) = Bill.line(blob, i);
            if (payees.canPay(supplier)) {
                open[i] = left;
                payableSum += left;
            } else {
                emit LegSkipped(key, uint8(i), SupplierId.wrap(uint16(supplier)), uint48(left));
            }
        }
    }

    function _bookParts(BillKey key, bytes calldata blob, uint256[] memory parts, uint256[] memory payees)
        private
        returns (bytes memory legs)
    {
        for (uint256 i = 0; i < parts.length; ++i) {
            // Of the pair only one is needed here.
            // slither-disable-next-line unused-return
            (uint256 supplier,) = Bill.line(blob, i);
            if (parts[i] != 0) {
                _records[key][i].paid += uint48(parts[i]);
                payees.owe(supplier, parts[i]);
            }
            legs = abi.encodePacked(legs, uint16(supplier), uint48(parts[i]));
        }
    }

    /// @dev Nets the prepayments that a bill names, each line once. Says whether any kopeck was netted.
    function _net(BillKey key, bytes calldata blob) internal returns (bool any) {
        uint256 count = Bill.creditCount(blob);
        for (uint256 i = 0; i < count; ++i) {
            (uint256 line, uint256 amount, bytes32 id) = Bill.credit(blob, i);
            require(line < Bill.lineCount(blob), Settlement_BadBill(key));
            // Of the pair only one is needed here.
            // slither-disable-next-line unused-return
            (uint256 supplier,) = Bill.line(blob, line);
            Prepayment storage prepayment = _prepayments[id];
            if (SupplierId.unwrap(prepayment.supplier) != supplier) continue;
            LineRecord storage record = _records[key][line];
            if (record.netted != 0) continue;
            uint256 open = _openOn(key, blob, line);
            if (amount > open) amount = open;
            if (amount > prepayment.left) amount = prepayment.left;
            if (amount == 0) continue;
            any = true;
            record.netted = uint48(amount);
            prepayment.left -= uint48(amount);
            emit PrepaymentNetted(id, key, uint8(line), SupplierId.wrap(uint16(supplier)), uint48(amount));
        }
    }

    /// @dev What is open on a line of a bill that is open or partial.
    function _openOn(BillKey key, bytes calldata blob, uint256 line) internal view returns (uint256) {
        // Of the pair only one is needed here.
        // slither-disable-next-line unused-return
        (, uint256 amount) = Bill.line(blob, line);
        LineRecord storage record = _records[key][line];
        return amount - record.paid - record.granted - record.netted - record.writtenOff;
    }

    /// @dev Paid when nothing is open on any line, partial otherwise.
    function _stateByLines(BillKey key, bytes calldata blob) internal view returns (BillState) {
        uint256 count = Bill.lineCount(blob);
        for (uint256 i = 0; i < count; ++i) {
            if (_openOn(key, blob, i) != 0) return BillState.Partial;
        }
        return BillState.Paid;
    }
}
