// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {BillKey, BillState, SupplierId} from "../types/Types.sol";

/// @title Billing runs and the state of every bill
/// @notice Assumptions. Whether a run's lines follow from its readings and tariffs is checked off chain, in the
/// delay and for ever after; here it is fixed what was claimed. The Settlement given at deployment is the only
/// contract that moves a bill's state for money, and moves money accordingly.
interface IChargeBook {
    /// @notice What a supplier is claimed to be owed by a run.
    struct SupplierTotal {
        SupplierId supplier;
        uint32 lines;
        int64 total; // kopecks, debits less credits
        bytes32 root;
    }

    /// @notice The head of a chain of readings that a run used.
    struct UsedHead {
        uint32 source;
        uint16 epoch;
        uint48 sequence;
        bytes24 hash;
    }

    /// @notice A run as proposed.
    struct Proposal {
        uint32 period;
        uint32 count;
        bytes32 root;
        uint32 tariffVersion;
        bytes32 engine;
        bytes32 superseded; // hash of the ascending list of bill keys it replaces, or 0
        SupplierTotal[] suppliers;
        UsedHead[] heads;
    }

    enum RunState {
        None,
        Proposed,
        Active,
        Vetoed
    }

    /// @notice A run was proposed; it can be vetoed until it is activated.
    event RunProposed(uint32 indexed run, address indexed biller, uint40 activatableAt, Proposal proposal);
    /// @notice A run's bills can be paid.
    event RunActivated(uint32 indexed run);
    /// @notice A run was stopped for good.
    event RunVetoed(uint32 indexed run, bytes32 reason);
    /// @notice A bill was replaced by a correcting run.
    event BillSuperseded(BillKey indexed bill, uint32 indexed byRun);

    error ChargeBook_EmptyRun();
    error ChargeBook_BadPeriod(uint32 period);
    error ChargeBook_SuppliersNotAscending(SupplierId supplier);
    error ChargeBook_UnknownTariffVersion(uint32 version);
    error ChargeBook_UnknownReadings(uint32 source, uint48 sequence);
    error ChargeBook_UnknownRun(uint32 run);
    error ChargeBook_RunNotActive(uint32 run);
    error ChargeBook_RunNotProposed(uint32 run);
    error ChargeBook_TooEarly(uint32 run, uint40 activatableAt);
    error ChargeBook_SupersededDiffer(uint32 run);
    error ChargeBook_SupersededNotAscending(BillKey bill);
    error ChargeBook_BillNotOpen(BillKey bill, BillState state);
    error ChargeBook_OwnBill(BillKey bill);
    error ChargeBook_NoSuchBill(BillKey bill);
    error ChargeBook_WrongProof(BillKey bill);
    error ChargeBook_WrongMultiproof(uint32 run);
    error ChargeBook_NotSettlement(address caller);
    error ChargeBook_StateIsFinal(BillKey bill, BillState state);

    /// @notice Proposes a run. Biller only.
    function propose(Proposal calldata proposal) external returns (uint32 run);

    /// @notice Activates a proposed run after its delay. Open to anyone.
    /// @param superseded Keys of the bills it replaces, ascending: each must be open.
    function activate(uint32 run, BillKey[] calldata superseded) external;

    /// @notice Stops a proposed run. Guardian only.
    function veto(uint32 run, bytes32 reason) external;

    /// @notice Checks that a leaf is a bill of an active run and says in what state it is.
    function proveBill(uint32 run, uint32 index, bytes32 leaf, bytes32[] calldata proof)
        external
        view
        returns (BillState state);

    /// @notice The same, and an open bill is set paid. Settlement only.
    /// @return state What it was before: any other than Open is left as it was.
    function closeIfOpen(uint32 run, uint32 index, bytes32 leaf, bytes32[] calldata proof)
        external
        returns (BillState state);

    /// @notice Checks that leaves are bills of one active run, by one multiproof, and sets the open ones paid that the
    /// caller asks for. Settlement only.
    /// @param pairs For each bill its index, with bit 32 set to close it if it is open, and its leaf hash; the indices
    /// strictly ascending.
    /// @return others The bills that were not closed here, ascending: position in the list, shifted by 8 ‖ state.
    function closeManyIfOpen(uint32 run, uint256[] calldata pairs, bytes32[] calldata proof)
        external
        returns (uint256[] memory others);

    /// @notice Sets the state of a bill. Settlement only; never out of Paid or Superseded. The event is the
    /// Settlement's: its receipts carry the state.
    function setState(uint32 run, uint32 index, BillState state) external;

    /// @notice State of a bill; Open for one that does not exist.
    function stateOf(uint32 run, uint32 index) external view returns (BillState);

    /// @notice A run as it stands.
    function runOf(uint32 run)
        external
        view
        returns (bytes32 root, uint32 count, RunState state, uint40 activatableAt, bytes32 superseded);

    /// @notice How many runs there are: the highest id.
    function runCount() external view returns (uint32);
}
