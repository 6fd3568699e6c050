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
import {Bill} from "./libraries/Bill.sol";
import {Legs} from "./libraries/Legs.sol";
import {Merkle} from "./libraries/Merkle.sol";
import {Payees} from "./libraries/Payees.sol";
import {SplitTypes} from "./libraries/SplitTypes.sol";
import {
    BatchBill,
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
    using Payees for Payees.Book;

    uint40 public constant LONGEST_PAUSE = 3 days;

    ISubsidyBook public immutable SUBSIDIES;
    bytes32 private immutable _ROUBLE_DOMAIN;

    /// @inheritdoc ISettlement
    uint40 public pausedUntil;

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
        require(block.timestamp >= pausedUntil, Settlement_Paused(pausedUntil));
        _;
    }

    /// @inheritdoc ISettlement
    function pay(ProvenBill calldata bill, uint256 maximum) external whenNotPaused returns (uint256 total) {
        // Check
        (BillKey key, BillState state) = _prove(bill);
        require(state < BillState.Paid, Settlement_BillClosed(key, state));
        Payees.Book memory book = _bookFor(bill.blob);
        // Effect
        BillState next;
        (total, next) = _take(key, bill.blob, state, maximum, msg.sender, 0, book);
        require(total != 0, Settlement_NothingToPay(key));
        CHARGES.setState(bill.run, bill.index, next);
        // Interaction
        ROUBLE.splitFrom(msg.sender, book.legsOf());
    }

    /// @inheritdoc ISettlement
    function payBatch(bytes32 ref, uint32 run, BatchBill[] calldata bills, bytes32[] calldata multiproof)
        external
        restricted
        whenNotPaused
        returns (uint256 total)
    {
        // Check
        require(ref != 0, Settlement_EmptyReference());
        bytes32 content = keccak256(msg.data[36:]);
        bytes32 known = contentOf[msg.sender][ref];
        if (known == content) {
            emit BatchRepeated(msg.sender, ref);
            return 0;
        }
        require(known == 0, Settlement_ReferenceReused(msg.sender, ref));
        (uint32[] memory indices, BillState[] memory states) = _proveBatch(run, bills, multiproof);
        Payees.Book memory book = _bookForBatch(bills);
        // Effect
        contentOf[msg.sender][ref] = content;
        for (uint256 i = 0; i < bills.length; ++i) {
            uint256 taken;
            (taken, states[i]) = _takeOfBatch(Bill.key(run, indices[i]), bills[i], states[i], ref, book);
            total += taken;
        }
        CHARGES.setStates(run, indices, states);
        emit BatchSettled(msg.sender, ref, content, total);
        // Interaction
        if (total != 0) ROUBLE.splitFrom(msg.sender, book.legsOf());
    }

    /// @inheritdoc ISettlement
    function payOrder(ProvenBill calldata bill, SplitAuthorization calldata order)
        external
        whenNotPaused
        returns (uint256)
    {
        return _payOrder(bill, order);
    }

    /// @inheritdoc ISettlement
    function payOrders(ProvenBill[] calldata bills, SplitAuthorization[] calldata orders) external whenNotPaused {
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
        _closeNoteLine(note, line);
        if (state != BillState.Paid) {
            CHARGES.setState(bill.run, bill.index, _stateByLines(key, bill.blob));
        }
        // Interaction
        if (toPayer + toWelfare != 0) {
            _moveRefund(note, bill.blob, key, line, recipient, wallet, toPayer, toWelfare, authorization);
        }
    }

    /// @inheritdoc ISettlement
    function prepay(SupplierId supplier, uint48 amount, bytes32 tag) external whenNotPaused {
        // Check
        require(amount != 0, Settlement_AmountOutOfRange(amount));
        Payees.Book memory book = Payees.load(REGISTRY);
        uint256 id = SupplierId.unwrap(supplier);
        require(id != 0 && id < book.entries.length, Settlement_UnknownSupplier(supplier));
        require(
            book.payable_(id) && !ROUBLE.isFrozen(book.payout(id)), Settlement_SupplierSuspended(supplier)
        );
        bytes32 prepayment = keccak256(abi.encodePacked(msg.sender, tag));
        require(!_prepayments[prepayment].made, Settlement_TagAlreadyUsed(tag));
        // Effect
        _prepayments[prepayment] = Prepayment({supplier: supplier, left: amount, made: true});
        book.owed[id] = amount;
        emit Prepaid(prepayment, msg.sender, supplier, amount, tag);
        // Interaction
        ROUBLE.splitFrom(msg.sender, book.legsOf());
    }

    /// @inheritdoc ISettlement
    function net(ProvenBill calldata bill) external whenNotPaused {
        (BillKey key, BillState state) = _prove(bill);
        require(state < BillState.Paid, Settlement_BillClosed(key, state));
        _requirePayable(key, bill.blob);
        require(_net(key, bill.blob), Settlement_NothingToPay(key));
        CHARGES.setState(bill.run, bill.index, _stateByLines(key, bill.blob));
    }

    /// @inheritdoc ISettlement
    function pause(uint40 until) external restricted {
        require(until <= block.timestamp + LONGEST_PAUSE, Settlement_PauseTooLong(LONGEST_PAUSE));
        pausedUntil = until;
        emit PausedUntil(until);
    }

    // --- payments ---

    function _payOrder(ProvenBill calldata bill, SplitAuthorization calldata order) private returns (uint256 total) {
        // Check
        (BillKey key, BillState state) = _prove(bill);
        bytes32 purpose = SplitTypes.payPurpose(bill.run, bill.index);
        bytes32 digest = MessageHashUtils.toTypedDataHash(
            _ROUBLE_DOMAIN, SplitTypes.structHash(order, address(this), purpose)
        );
        Leg[] memory legs = new Leg[](0);
        // Effect
        if (state < BillState.Paid) {
            Payees.Book memory book = _bookFor(bill.blob);
            BillState next;
            (total, next) = _take(key, bill.blob, state, order.maximum, order.payer, digest, book);
            if (next != state || total != 0) CHARGES.setState(bill.run, bill.index, next);
            legs = book.legsOf();
        }
        if (total == 0) emit BillSkipped(key, digest, state);
        // Interaction: even an order that finds its bill closed is checked and used up
        ROUBLE.splitWithAuthorization(order, purpose, legs);
    }

    function _proveBatch(uint32 run, BatchBill[] calldata bills, bytes32[] calldata multiproof)
        private
        view
        returns (uint32[] memory indices, BillState[] memory states)
    {
        indices = new uint32[](bills.length);
        bytes32[] memory leaves = new bytes32[](bills.length);
        for (uint256 i = 0; i < bills.length; ++i) {
            indices[i] = bills[i].index;
            leaves[i] = Merkle.leafHash(bills[i].blob);
        }
        states = CHARGES.proveBills(run, indices, leaves, multiproof);
    }

    function _takeOfBatch(
        BillKey key,
        BatchBill calldata bill,
        BillState state,
        bytes32 ref,
        Payees.Book memory book
    ) private returns (uint256 taken, BillState next) {
        next = state;
        if (state < BillState.Paid) {
            (taken, next) = _take(key, bill.blob, state, bill.maximum, msg.sender, ref, book);
        }
        if (taken == 0) emit BillSkipped(key, ref, next);
    }

    function _bookFor(bytes calldata blob) private view returns (Payees.Book memory book) {
        book = Payees.load(REGISTRY);
        book.mean(blob);
        book.dropFrozen(ROUBLE);
    }

    function _bookForBatch(BatchBill[] calldata bills) private view returns (Payees.Book memory book) {
        book = Payees.load(REGISTRY);
        for (uint256 i = 0; i < bills.length; ++i) {
            book.mean(bills[i].blob);
        }
        book.dropFrozen(ROUBLE);
    }

    // --- grants ---

    function _applyGrant(GrantClaim calldata claim) private {
        // Check
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
        _net(key, claim.bill.blob);
        uint48 amount = _grantable(key, claim.bill.blob, line, maximum, wallet);
        // Effect
        if (amount != 0) {
            _record(key, line).granted += amount;
            _grantWallets[key][line] = wallet;
            SUBSIDIES.use(claim.batch, claim.index, key, line, amount);
        }
        _finishGrant(claim, key, state, line, amount, wallet, ref);
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
        (uint256 supplier,) = Bill.line(blob, line);
        Payees.Book memory book = Payees.load(REGISTRY);
        if (!book.payable_(supplier) || ROUBLE.isFrozen(book.payout(supplier))) {
            emit LegSkipped(key, line, SupplierId.wrap(uint16(supplier)), uint48(open));
            return 0;
        }
        return open < maximum ? uint48(open) : maximum;
    }

    function _finishGrant(
        GrantClaim calldata claim,
        BillKey key,
        BillState state,
        uint8 line,
        uint48 amount,
        address wallet,
        bytes32 ref
    ) private {
        BillState next = _stateByLines(key, claim.bill.blob);
        bool touched = amount != 0 || Bill.creditCount(claim.bill.blob) != 0;
        if (touched && next != state) CHARGES.setState(claim.bill.run, claim.bill.index, next);
        if (amount == 0) {
            emit BillSkipped(key, ref, state);
            return;
        }
        (uint256 supplier,) = Bill.line(claim.bill.blob, line);
        emit GrantApplied(claim.batch, claim.index, key, line, SupplierId.wrap(uint16(supplier)), amount, next);
        // Interaction
        Payees.Book memory book = Payees.load(REGISTRY);
        book.owed[supplier] = amount;
        ROUBLE.splitFrom(wallet, book.legsOf());
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
            (, uint256 amount) = Bill.line(note.blob, i);
            if (amount != 0 && (done >> i) & 1 == 0) next = BillState.Partial;
        }
        CHARGES.setState(note.run, note.index, next);
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
        (uint256 supplier,) = Bill.line(blob, line);
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
            wallet,
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
