// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {
    BillKey,
    BillState,
    GrantClaim,
    LineRecord,
    ProvenBill,
    SplitAuthorization,
    SupplierId
} from "../types/Types.sol";

/// @title One payment, straight to every supplier
/// @notice Holds no token, ever: each leg goes from the payer to the supplier's payout wallet.
/// @notice Assumptions. The token calls nobody back. The registry's payout table is right. A leg to a supplier
/// that is suspended, or whose payout the bank froze, is left open and does not stop the others.
interface ISettlement {
    /// @notice A receipt.
    /// @param ref The order's digest, the batch's ref, or zero for a plain payment.
    /// @param legs One for each line of the bill, 8 bytes: supplier (2) ‖ amount (6), zero where nothing moved.
    event BillPaid(
        BillKey indexed bill, address indexed payer, bytes32 indexed ref, bytes legs, BillState state
    );
    /// @notice Nothing was taken for a bill that an order, a batch or a grant named; `state` is where it stands now.
    event BillSkipped(BillKey indexed bill, bytes32 indexed ref, BillState state);
    /// @notice A line was left open because its supplier is suspended or its payout frozen.
    event LegSkipped(BillKey indexed bill, uint8 line, SupplierId supplier, uint48 amount);
    /// @notice An agent's batch was carried out; its receipts stand before this.
    event BatchSettled(address indexed agent, bytes32 indexed ref, bytes32 content, uint256 total);
    /// @notice The same batch came again and changed nothing.
    event BatchRepeated(address indexed agent, bytes32 indexed ref);
    /// @notice A grant moved from its wallet to the supplier.
    event GrantApplied(
        uint32 indexed batch,
        uint32 indexed index,
        BillKey indexed bill,
        uint8 line,
        SupplierId supplier,
        uint48 amount,
        BillState state
    );
    /// @param prepayment H(payer ‖ tag): what a later bill names, and nobody but this payer can make.
    event Prepaid(
        bytes32 indexed prepayment, address indexed payer, SupplierId indexed supplier, uint48 amount, bytes32 tag
    );
    /// @notice A line was covered by a prepayment that its bill names.
    event PrepaymentNetted(
        bytes32 indexed prepayment, BillKey indexed bill, uint8 line, SupplierId supplier, uint48 amount
    );
    /// @notice A line of a credit note was carried out; `writtenOff` of it was still open.
    event CreditApplied(BillKey indexed note, BillKey indexed bill, uint8 line, uint48 writtenOff);
    /// @notice A supplier gave back what had moved; welfare's part went to its wallet.
    event Refunded(
        BillKey indexed note,
        BillKey indexed bill,
        uint8 line,
        SupplierId indexed supplier,
        address recipient,
        uint48 toPayer,
        address wallet,
        uint48 toWelfare
    );
    /// @notice A bill's state after a netting or a credit; receipts carry it themselves.
    event BillStateChanged(BillKey indexed bill, BillState state);

    /// @notice Nothing is settled before this moment.
    event PausedUntil(uint40 until);

    error Settlement_Paused(uint40 until);
    error Settlement_PauseTooLong(uint40 maximum);
    error Settlement_NotRegistry(address caller);
    error Settlement_BillClosed(BillKey bill, BillState state);
    error Settlement_NothingToPay(BillKey bill);
    error Settlement_BadBill(BillKey bill);
    error Settlement_NotPayable(BillKey bill, uint8 kind);
    error Settlement_UnknownSupplier(SupplierId supplier);
    error Settlement_SupplierSuspended(SupplierId supplier);
    error Settlement_ReferenceReused(address agent, bytes32 ref);
    error Settlement_EmptyReference();
    error Settlement_LengthsDiffer();
    error Settlement_BadBatch(uint256 length, uint256 used);
    error Settlement_GrantForOtherBill(BillKey granted, BillKey given);
    error Settlement_NoSuchLine(BillKey bill, uint8 line);
    error Settlement_TagAlreadyUsed(bytes32 tag);
    error Settlement_AmountOutOfRange(uint256 amount);
    error Settlement_NotCreditNote(BillKey bill);
    error Settlement_NoteForOtherBill(BillKey named, BillKey given);
    error Settlement_NothingToRefund(BillKey note, uint8 line);
    error Settlement_NotSupplierWallet(SupplierId supplier, address wallet);
    error Settlement_WrongWallet(address expected, address given);

    /// @notice Pays at most `maximum` kopecks of what is open on a bill, from the caller's balance under the
    /// caller's allowance. Open to anyone; reverts when the bill is closed.
    function pay(ProvenBill calldata bill, uint256 maximum) external returns (uint256 total);

    /// @notice Pays many bills of one run from an agent's own balance: one transfer a supplier, one receipt a
    /// bill. Agents only. The same reference with the same content changes nothing; with other content reverts.
    /// @param count How many bills.
    /// @param bills One after the other: index (4) ‖ maximum (6) ‖ length of the blob (2) ‖ blob, strictly ascending by
    /// index. Packed, because the call's data is a third of what a bill costs here.
    function payBatch(
        bytes32 ref,
        uint32 run,
        uint256 count,
        bytes calldata bills,
        bytes32[] calldata multiproof
    ) external returns (uint256 total);

    /// @notice Carries out a resident's signed order. Open to anyone; a closed bill is skipped with an event.
    function payOrder(ProvenBill calldata bill, SplitAuthorization calldata order) external returns (uint256 total);

    /// @notice The same for several orders.
    function payOrders(ProvenBill[] calldata bills, SplitAuthorization[] calldata orders) external;

    /// @notice Applies grants, each straight from the welfare wallet. Open to anyone; a grant whose bill is
    /// closed, whose line is covered or whose supplier is suspended is skipped with an event.
    function applyGrants(GrantClaim[] calldata claims) external;

    /// @notice Carries out one line of a credit note: writes off what is open, and refunds what had moved from
    /// the supplier's wallet, under the supplier's signature. Each line of a note once. Open to anyone.
    /// @param recipient Where the payer's part goes.
    /// @param wallet The welfare wallet the granted part returns to: the one whose grant was applied.
    function refund(
        ProvenBill calldata note,
        ProvenBill calldata bill,
        uint8 line,
        address recipient,
        address wallet,
        SplitAuthorization calldata authorization
    ) external;

    /// @notice Pays a supplier ahead, from the caller's balance. A payer uses a tag once.
    function prepay(SupplierId supplier, uint48 amount, bytes32 tag) external;

    /// @notice Nets the prepayments that a bill names, without any payment.
    function net(ProvenBill calldata bill) external;

    /// @notice Stops payments until a moment that can't be far off; 0 resumes. Guardian only.
    function pause(uint40 until) external;

    /// @notice Learns where money goes. Registry only.
    function setPayoutTable(address table) external;

    /// @notice The payout table, and the moment a pause ends.
    function payouts() external view returns (address table, uint40 pausedUntil);

    /// @notice What moved on a line of a bill that was not paid at once and in full; zeros otherwise.
    function lineRecord(BillKey bill, uint8 line) external view returns (LineRecord memory);

    /// @notice Whom a prepayment went to, and what of it no bill has netted.
    function prepaymentOf(bytes32 prepayment) external view returns (SupplierId supplier, uint48 left);

    /// @notice The content that an agent's reference stands for, zero when it was not used.
    function contentOf(address agent, bytes32 ref) external view returns (bytes32);
}
