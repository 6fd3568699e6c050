// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {BillMoney} from "./BillMoney.sol";
import {IChargeBook} from "./interfaces/IChargeBook.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {IRouble} from "./interfaces/IRouble.sol";
import {ISettlement} from "./interfaces/ISettlement.sol";
import {ISubsidyBook} from "./interfaces/ISubsidyBook.sol";
import {Allocation} from "./libraries/Allocation.sol";
import {Batch} from "./libraries/Batch.sol";
import {Bill} from "./libraries/Bill.sol";
import {Legs} from "./libraries/Legs.sol";
import {Merkle} from "./libraries/Merkle.sol";
import {Payees} from "./libraries/Payees.sol";
import {SplitTypes} from "./libraries/SplitTypes.sol";
import {
    BillKey,
    BillState,
    GrantClaim,
    Leg,
    LineRecord,
    ProvenBill,
    SplitAuthorization,
    SupplierId
} from "./types/Types.sol";

/// @notice See `ISettlement`.
contract Settlement is BillMoney, AccessManaged {
    using Payees for uint256[];

    uint40 public constant LONGEST_PAUSE = 3 days;

    /// @dev Asks the ChargeBook to close a bill of a batch.
    uint256 private constant CLOSE = 1 << 32;

    // Immutables are written as constants are.
    // slither-disable-start naming-convention
    ISubsidyBook public immutable SUBSIDIES;
    bytes32 private immutable _ROUBLE_DOMAIN;
    // slither-disable-end naming-convention

    /// @inheritdoc ISettlement
    mapping(address agent => mapping(bytes32 ref => bytes32 content)) public contentOf;

    /// @dev Lines of a credit note that were carried out, a bit each.
    mapping(BillKey note => uint256) private _linesDone;
    mapping(BillKey bill => mapping(uint256 line => address)) private _grantWallets;

    constructor(
        address authority,
        IRegistry registry,
        IChargeBook charges,
        IRouble rouble,
        ISubsidyBook subsidies
    ) AccessManaged(authority) BillMoney(registry, charges, rouble) {
        SUBSIDIES = subsidies;
        _ROUBLE_DOMAIN = rouble.DOMAIN_SEPARATOR();
    }

    modifier whenNotPaused() {
        require(block.timestamp >= _pausedUntil, Settlement_Paused(_pausedUntil));
        _;
    }

    /// @inheritdoc ISettlement
    function pay(ProvenBill calldata bill, uint256 maximum) external returns (uint256 total) {
        // Check, effect
        BillState before;
        Leg[] memory legs;
        (total, before,, legs) = _payOne(bill, maximum, msg.sender, 0);
        if (total == 0) {
            BillKey key = Bill.key(bill.run, bill.index);
            require(before < BillState.Paid, Settlement_BillClosed(key, before));
            revert Settlement_NothingToPay(key);
        }
        // Interaction
        ROUBLE.splitFrom(msg.sender, legs);
    }

    /// @inheritdoc ISettlement
    function payBatch(
        bytes32 ref,
        uint32 run,
        uint256 count,
        bytes calldata bills,
        bytes32[] calldata multiproof
    ) external restricted returns (uint256 total) {
        // Check
        require(ref != 0, Settlement_EmptyReference());
        bytes32 content = keccak256(abi.encodePacked(run, bills));
        bytes32 known = contentOf[msg.sender][ref];
        if (known == content) {
            emit BatchRepeated(msg.sender, ref);
            return 0;
        }
        require(known == 0, Settlement_ReferenceReused(msg.sender, ref));
        // Effect
        contentOf[msg.sender][ref] = content;
        uint256[] memory payees = _payees();
        total = _takeBatch(ref, run, count, bills, multiproof, payees);
        emit BatchSettled(msg.sender, ref, content, total);
        // Interaction
        if (total != 0) ROUBLE.splitFrom(msg.sender, payees.legsOf());
    }

    /// @inheritdoc ISettlement
    function payOrder(ProvenBill calldata bill, SplitAuthorization calldata order)
        external
        returns (uint256)
    {
        return _payOrder(bill, order);
    }

    /// @inheritdoc ISettlement
    function payOrders(ProvenBill[] calldata bills, SplitAuthorization[] calldata orders) external {
        require(bills.length == orders.length, Settlement_LengthsDiffer());
        for (uint256 i = 0; i < bills.length; ++i) {
            _payOrder(bills[i], orders[i]);
        }
    }

    /// @inheritdoc ISettlement
    function applyGrants(GrantClaim[] calldata claims) external whenNotPaused {
        for (uint256 i = 0; i < claims.length; ++i) {
            _applyGrant(claims[i]);
        }
    }

    /// @inheritdoc ISettlement
    function refund(
        ProvenBill calldata note,
        ProvenBill calldata bill,
        uint8 line,
        address recipient,
        address wallet,
        SplitAuthorization calldata authorization
    ) external whenNotPaused {
        // Check
        (BillKey key, BillState state) = _prove(bill);
        require(state != BillState.Superseded, Settlement_BillClosed(key, state));
        uint256 credit = _creditOf(note, key, bill.blob, line);
        // Effect
        (uint256 toPayer, uint256 toWelfare) = _credit(key, bill.blob, state, line, credit, note);
        if (toWelfare != 0) {
            address granter = _grantWallets[key][line];
            require(wallet == granter, Settlement_WrongWallet(granter, wallet));
        }
        // To our own contract, which calls nobody back.
        // slither-disable-next-line reentrancy-events
        _closeNoteLine(note, line);
        if (state != BillState.Paid) _setByLines(bill, key);
        // Interaction
        if (toPayer + toWelfare != 0) {
            _moveRefund(note, bill.blob, key, line, recipient, wallet, toPayer, toWelfare, authorization);
        }
    }

    /// @inheritdoc ISettlement
    function prepay(SupplierId supplier, uint48 amount, bytes32 tag) external {
        // Check
        require(amount != 0, Settlement_AmountOutOfRange(amount));
        uint256[] memory payees = _payees();
        uint256 id = SupplierId.unwrap(supplier);
        require(id != 0 && id < payees.length, Settlement_UnknownSupplier(supplier));
        require(
            payees.canPay(id), Settlement_SupplierSuspended(supplier)
        );
        bytes32 prepayment = keccak256(abi.encodePacked(msg.sender, tag));
        require(!_prepayments[prepayment].made, Settlement_TagAlreadyUsed(tag));
        // Effect
        _prepayments[prepayment] = Prepayment({supplier: supplier, left: amount, made: true});
        payees.owe(id, amount);
        emit Prepaid(prepayment, msg.sender, supplier, amount, tag);
        // Interaction
        ROUBLE.splitFrom(msg.sender, payees.legsOf());
    }

    /// @inheritdoc ISettlement
    function net(ProvenBill calldata bill) external whenNotPaused {
        (BillKey key, BillState state) = _prove(bill);
        require(state < BillState.Paid, Settlement_BillClosed(key, state));
        _requirePayable(key, bill.blob);
        require(_net(key, bill.blob), Settlement_NothingToPay(key));
        _setByLines(bill, key);
    }

    /// @inheritdoc ISettlement
    function pause(uint40 until) external restricted {
        // Hours and days are counted here: the seconds a validator can choose change nothing.
        // slither-disable-next-line timestamp
        require(until <= block.timestamp + LONGEST_PAUSE, Settlement_PauseTooLong(LONGEST_PAUSE));
        _pausedUntil = until;
        emit PausedUntil(until);
    }

    /// @inheritdoc ISettlement
    function setPayoutTable(address table) external {
        require(msg.sender == address(REGISTRY), Settlement_NotRegistry(msg.sender));
        // The Registry has the event.
        // Only the Registry calls, with a table it just wrote.
        // slither-disable-next-line missing-zero-check
        _payoutTable = table;
    }

    /// @inheritdoc ISettlement
    function payouts() external view returns (address table, uint40 pausedUntil) {
        return (_payoutTable, _pausedUntil);
    }

    // --- payments ---

    function _payOrder(ProvenBill calldata bill, SplitAuthorization calldata order) private returns (uint256 total) {
        bytes32 purpose = SplitTypes.payPurpose(bill.run, bill.index);
        bytes32 digest = MessageHashUtils.toTypedDataHash(
            _ROUBLE_DOMAIN, SplitTypes.structHash(order, address(this), purpose)
        );
        // Check, effect
        BillState next;
        Leg[] memory legs;
        // To our own contract, which calls nobody back.
        // slither-disable-next-line reentrancy-events
        (total,, next, legs) = _payOne(bill, order.maximum, order.payer, digest);
        if (total == 0) emit BillSkipped(Bill.key(bill.run, bill.index), digest, next);
        // Interaction: even an order that finds its bill closed is checked and used up
        // A call for each, to our own contract, which calls nobody back.
        // slither-disable-next-line calls-loop
        ROUBLE.splitWithAuthorization(order, purpose, legs);
    }

    /// @dev One bill by itself. The common case, open and payable whole, needs one call and no payees.
    /// @return total What was taken; 0 when the bill was closed, or nothing on it can be paid.
    /// @return before Its state before.
    /// @return next Its state after: a netting may have moved it although nothing was taken.
    function _payOne(ProvenBill calldata bill, uint256 maximum, address payer, bytes32 ref)
        private
        returns (uint256 total, BillState before, BillState next, Leg[] memory legs)
    {
        bytes calldata blob = bill.blob;
        BillKey key = Bill.key(bill.run, bill.index);
        uint256[] memory payees = _payees();
        if (Bill.isPlain(blob)) (legs, total) = payees.wholeLegs(blob);
        if (total != 0 && total <= maximum) {
            // A call for each, to our own contract, which calls nobody back.
            // slither-disable-next-line calls-loop,reentrancy-benign,reentrancy-events
            before = CHARGES.closeIfOpen(bill.run, bill.index, Merkle.leafHash(blob), bill.proof);
            if (before == BillState.Open) {
                emit BillPaid(key, payer, ref, Bill.lines(blob), BillState.Paid);
                return (total, before, BillState.Paid, legs);
            }
        } else {
            // A call for each, to our own contract, which calls nobody back.
            // slither-disable-next-line calls-loop
            before = CHARGES.proveBill(bill.run, bill.index, Merkle.leafHash(blob), bill.proof);
            _requirePayable(key, blob);
        }
        if (before >= BillState.Paid) return (0, before, before, new Leg[](0));
        (total, next) = _take(key, blob, before, maximum, payer, ref, payees);
        // A call for each, to our own contract, which calls nobody back.
        // slither-disable-next-line calls-loop
        CHARGES.setState(bill.run, bill.index, next);
        legs = payees.legsOf();
    }

    /// @dev First asks to close every bill that can be paid whole, in one call; then writes the receipts, and takes
    /// what it can of the rest.
    function _takeBatch(
        bytes32 ref,
        uint32 run,
        uint256 count,
        bytes calldata bills,
        bytes32[] calldata multiproof,
        uint256[] memory payees
    ) private returns (uint256 total) {
        uint256[] memory pairs;
        (pairs, total) = _tryWhole(count, bills, payees);
        // To our own contract, which calls nobody back.
        // slither-disable-next-line reentrancy-events
        uint256[] memory others = CHARGES.closeManyIfOpen(run, pairs, multiproof);
        uint256 seen = 0;
        uint256 place = 0;
        for (uint256 i = 0; i < count; ++i) {
            (uint256 index, uint256 maximum, bytes calldata blob, uint256 next) = Batch.at(bills, place);
            place = next;
            BillKey key = Bill.key(run, uint32(index));
            if (seen < others.length && others[seen] >> 8 == i) {
                if (pairs[2 * i] & CLOSE != 0) total -= payees.disown(blob, Bill.lineCount(blob));
                total += _takeOther(key, blob, maximum, BillState(others[seen++] & 0xff), ref, payees);
            } else {
                emit BillPaid(key, msg.sender, ref, Bill.lines(blob), BillState.Paid);
            }
        }
    }

    /// @dev What the ChargeBook is told of each bill, and the sum of those that can be paid whole, which their suppliers
    /// are then owed.
    function _tryWhole(uint256 count, bytes calldata bills, uint256[] memory payees)
        private
        pure
        returns (uint256[] memory pairs, uint256 total)
    {
        pairs = new uint256[](2 * count);
        uint256 place = 0;
        for (uint256 i = 0; i < count; ++i) {
            (uint256 index, uint256 maximum, bytes calldata blob, uint256 next) = Batch.at(bills, place);
            place = next;
            uint256 sum = Bill.isPlain(blob) ? payees.oweWhole(blob, maximum) : 0;
            unchecked {
                total += sum; // 53 bits each
            }
            pairs[2 * i] = sum == 0 ? index : CLOSE | index;
            pairs[2 * i + 1] = uint256(Merkle.leafHash(blob));
        }
        require(place == bills.length, Settlement_BadBatch(bills.length, place));
    }

    /// @dev A bill of a batch that could not be closed at a stroke.
    function _takeOther(
        BillKey key,
        bytes calldata blob,
        uint256 maximum,
        BillState state,
        bytes32 ref,
        uint256[] memory payees
    ) private returns (uint256 taken) {
        if (state < BillState.Paid) {
            _requirePayable(key, blob);
            (taken, state) = _take(key, blob, state, maximum, msg.sender, ref, payees);
            uint64 place = BillKey.unwrap(key);
            // A call for each, to our own contract, which calls nobody back.
            // slither-disable-next-line calls-loop,reentrancy-events
            CHARGES.setState(uint32(place >> 32), uint32(place), state);
        }
        if (taken == 0) emit BillSkipped(key, ref, state);
    }

    // --- grants ---

    function _applyGrant(GrantClaim calldata claim) private {
        // Check
        // A call for each, to our own contract, which calls nobody back.
        // slither-disable-next-line calls-loop
        (address wallet, BillKey granted, uint8 line, uint48 maximum) =
            SUBSIDIES.proveGrant(claim.batch, claim.index, claim.blob, claim.proof);
        (BillKey key, BillState state) = _prove(claim.bill);
        require(BillKey.unwrap(granted) == BillKey.unwrap(key), Settlement_GrantForOtherBill(granted, key));
        _requirePayable(key, claim.bill.blob);
        require(line < Bill.lineCount(claim.bill.blob), Settlement_NoSuchLine(key, line));
        bytes32 ref = bytes32(uint256(claim.batch) << 32 | claim.index);
        if (state >= BillState.Paid) {
            emit BillSkipped(key, ref, state);
            return;
        }
        // Effect
        bool netted = _net(key, claim.bill.blob);
        uint48 amount = _grantable(key, claim.bill.blob, line, maximum, wallet);
        if (amount != 0) {
            _record(key, line).granted += amount;
            _grantWallets[key][line] = wallet;
            // A call for each, to our own contract, which calls nobody back.
            // slither-disable-next-line calls-loop,reentrancy-events
            SUBSIDIES.use(claim.batch, claim.index, key, line, amount);
        }
        if (amount != 0 || netted) {
            state = _stateByLines(key, claim.bill.blob);
            // A call for each, to our own contract, which calls nobody back.
            // slither-disable-next-line calls-loop
            CHARGES.setState(claim.bill.run, claim.bill.index, state);
        }
        if (amount == 0) {
            emit BillSkipped(key, ref, state);
            return;
        }
        _moveGrant(claim, key, state, line, amount, wallet);
    }

    /// @dev What a grant can move to its line now: nothing when the line is covered, its supplier can't be paid, or
    /// another wallet's grant stands on it (a refund must know whose money it returns).
    function _grantable(BillKey key, bytes calldata blob, uint8 line, uint48 maximum, address wallet)
        private
        returns (uint48)
    {
        address granter = _grantWallets[key][line];
        if (granter != address(0) && granter != wallet) return 0;
        uint256 open = _openOn(key, blob, line);
        // Of the pair only one is needed here.
        // slither-disable-next-line unused-return
        (uint256 supplier,) = Bill.line(blob, line);
        if (!_payees().canPay(supplier)) {
            emit LegSkipped(key, line, SupplierId.wrap(uint16(supplier)), uint48(open));
            return 0;
        }
        return open < maximum ? uint48(open) : maximum;
    }

    function _moveGrant(
        GrantClaim calldata claim,
        BillKey key,
        BillState state,
        uint8 line,
        uint48 amount,
        address wallet
    ) private {
        // Of the pair only one is needed here.
        // slither-disable-next-line unused-return
        (uint256 supplier,) = Bill.line(claim.bill.blob, line);
        emit GrantApplied(claim.batch, claim.index, key, line, SupplierId.wrap(uint16(supplier)), amount, state);
        // Interaction
        uint256[] memory payees = _payees();
        payees.owe(supplier, amount);
        // A call for each, to our own contract, which calls nobody back.
        // slither-disable-next-line calls-loop
        ROUBLE.splitFrom(wallet, payees.legsOf());
    }

    // --- refunds ---

    /// @dev The kopecks that a credit note takes off a line of this bill, not carried out before.
    function _creditOf(ProvenBill calldata note, BillKey key, bytes calldata blob, uint8 line)
        private
        view
        returns (uint256 credit)
    {
        (BillKey noteKey,) = _prove(note);
        require(Bill.kind(note.blob) == Bill.CREDIT_NOTE, Settlement_NotCreditNote(noteKey));
        _requirePayable(key, blob);
        BillKey named = Bill.original(note.blob);
        require(BillKey.unwrap(named) == BillKey.unwrap(key), Settlement_NoteForOtherBill(named, key));
        require(
            line < Bill.lineCount(blob) && Bill.lineCount(note.blob) == Bill.lineCount(blob),
            Settlement_NoSuchLine(noteKey, line)
        );
        uint256 creditor;
        (creditor, credit) = Bill.line(note.blob, line);
        // Of the pair only one is needed here.
        // slither-disable-next-line unused-return
        (uint256 supplier,) = Bill.line(blob, line);
        require(creditor == supplier, Settlement_BadBill(noteKey));
        require(
            credit != 0 && (_linesDone[noteKey] >> line) & 1 == 0, Settlement_NothingToRefund(noteKey, line)
        );
    }

    /// @dev Writes off what is open, then gives back what had moved, welfare's share of it half up over all refunds.
    function _credit(
        BillKey key,
        bytes calldata blob,
        BillState state,
        uint8 line,
        uint256 credit,
        ProvenBill calldata note
    ) private returns (uint256 toPayer, uint256 toWelfare) {
        LineRecord storage record = _record(key, line);
        // Of the pair only one is needed here.
        // slither-disable-next-line unused-return
        (, uint256 amount) = Bill.line(blob, line);
        uint256 open = state == BillState.Paid ? 0 : _openOn(key, blob, line);
        uint256 writtenOff = credit < open ? credit : open;
        uint256 moved = amount - record.writtenOff - open;
        uint256 back = credit - writtenOff;
        if (back > moved - record.refunded) back = moved - record.refunded;
        if (back != 0) {
            uint256 before = record.refunded;
            toWelfare = Allocation.shareHalfUp(before + back, record.granted, moved)
                - Allocation.shareHalfUp(before, record.granted, moved);
            toPayer = back - toWelfare;
        }
        record.writtenOff += uint48(writtenOff);
        record.refunded += uint48(back);
        emit CreditApplied(Bill.key(note.run, note.index), key, line, uint48(writtenOff));
    }

    /// @dev A note is paid once each of its lines with a sum was carried out.
    function _closeNoteLine(ProvenBill calldata note, uint8 line) private {
        BillKey noteKey = Bill.key(note.run, note.index);
        uint256 done = _linesDone[noteKey] | (1 << line);
        _linesDone[noteKey] = done;
        BillState next = BillState.Paid;
        uint256 count = Bill.lineCount(note.blob);
        for (uint256 i = 0; i < count; ++i) {
            // Of the pair only one is needed here.
            // slither-disable-next-line unused-return
            (, uint256 amount) = Bill.line(note.blob, i);
            if (amount != 0 && (done >> i) & 1 == 0) next = BillState.Partial;
        }
        // To our own contract, which calls nobody back.
        // slither-disable-next-line reentrancy-events
        CHARGES.setState(note.run, note.index, next);
        emit BillStateChanged(noteKey, next);
    }

    function _setByLines(ProvenBill calldata bill, BillKey key) private {
        BillState next = _stateByLines(key, bill.blob);
        // To our own contract, which calls nobody back.
        // slither-disable-next-line reentrancy-events
        CHARGES.setState(bill.run, bill.index, next);
        emit BillStateChanged(key, next);
    }

    function _moveRefund(
        ProvenBill calldata note,
        bytes calldata blob,
        BillKey key,
        uint8 line,
        address recipient,
        address wallet,
        uint256 toPayer,
        uint256 toWelfare,
        SplitAuthorization calldata authorization
    ) private {
        // Of the pair only one is needed here.
        // slither-disable-next-line unused-return
        (uint256 supplier,) = Bill.line(blob, line);
        // Of the pair only one is needed here.
        // slither-disable-next-line unused-return
        (address payout,) = REGISTRY.payoutOf(SupplierId.wrap(uint16(supplier)));
        require(
            authorization.payer == payout,
            Settlement_NotSupplierWallet(SupplierId.wrap(uint16(supplier)), authorization.payer)
        );
        emit Refunded(
            Bill.key(note.run, note.index),
            key,
            line,
            SupplierId.wrap(uint16(supplier)),
            recipient,
            uint48(toPayer),
            toWelfare == 0 ? address(0) : wallet,
            uint48(toWelfare)
        );
        Leg[] memory legs = new Leg[]((toPayer != 0 ? 1 : 0) + (toWelfare != 0 ? 1 : 0));
        if (toPayer != 0) legs[0] = Legs.pack(recipient, toPayer);
        if (toWelfare != 0) legs[legs.length - 1] = Legs.pack(wallet, toWelfare);
        ROUBLE.splitWithAuthorization(
            authorization, SplitTypes.refundPurpose(note.run, note.index, line, recipient), legs
        );
    }
}
