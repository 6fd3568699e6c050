// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IChargeBook} from "./interfaces/IChargeBook.sol";
import {IReadingAnchor} from "./interfaces/IReadingAnchor.sol";
import {ITariffBook} from "./interfaces/ITariffBook.sol";
import {Bill} from "./libraries/Bill.sol";
import {Merkle} from "./libraries/Merkle.sol";
import {BillKey, BillState, Head, SupplierId} from "./types/Types.sol";

/// @notice See `IChargeBook`.
contract ChargeBook is IChargeBook, AccessManaged {
    struct Run {
        // slot 0
        bytes32 root;
        // slot 1
        uint32 count;
        uint40 activatableAt;
        RunState state;
        uint8 depth;
        // slot 2
        bytes32 superseded;
    }

    /// @dev Two bits a bill: 128 bills a word.
    uint256 private constant BILLS_PER_WORD_BITS = 7;

    // Immutables are written as constants are.
    // slither-disable-start naming-convention
    IReadingAnchor public immutable ANCHOR;
    ITariffBook public immutable TARIFFS;
    address public immutable SETTLEMENT;
    uint40 public immutable ACTIVATION_DELAY;
    // slither-disable-end naming-convention

    /// @inheritdoc IChargeBook
    uint32 public runCount;

    mapping(uint32 run => Run) private _runs;
    mapping(uint256 word => uint256) private _states;

    constructor(
        address authority,
        IReadingAnchor anchor,
        ITariffBook tariffs,
        address settlement,
        uint40 activationDelay
    ) AccessManaged(authority) {
        ANCHOR = anchor;
        TARIFFS = tariffs;
        // The Settlement is deployed later, at an address known before; the deployment checks it.
        // slither-disable-next-line missing-zero-check
        SETTLEMENT = settlement;
        ACTIVATION_DELAY = activationDelay;
    }

    modifier onlySettlement() {
        require(msg.sender == SETTLEMENT, ChargeBook_NotSettlement(msg.sender));
        _;
    }

    /// @inheritdoc IChargeBook
    function propose(Proposal calldata proposal) external restricted returns (uint32 run) {
        // Check
        require(proposal.count != 0 && proposal.root != 0, ChargeBook_EmptyRun());
        uint256 month = proposal.period % 100;
        require(proposal.period >= 200_000 && month >= 1 && month <= 12, ChargeBook_BadPeriod(proposal.period));
        require(
            proposal.tariffVersion <= TARIFFS.version(), ChargeBook_UnknownTariffVersion(proposal.tariffVersion)
        );
        _checkSuppliers(proposal.suppliers);
        _checkHeads(proposal.heads);
        // Effect
        run = ++runCount;
        uint40 activatableAt = uint40(block.timestamp) + ACTIVATION_DELAY;
        _runs[run] = Run({
            root: proposal.root,
            count: proposal.count,
            activatableAt: activatableAt,
            state: RunState.Proposed,
            depth: uint8(Merkle.depthOf(proposal.count)),
            superseded: proposal.superseded
        });
        emit RunProposed(run, msg.sender, activatableAt, proposal);
    }

    /// @inheritdoc IChargeBook
    function activate(uint32 run, BillKey[] calldata superseded) external {
        Run storage proposed = _runs[run];
        require(proposed.state == RunState.Proposed, ChargeBook_RunNotProposed(run));
        // Hours and days are counted here: the seconds a validator can choose change nothing.
        // slither-disable-next-line timestamp
        require(block.timestamp >= proposed.activatableAt, ChargeBook_TooEarly(run, proposed.activatableAt));
        require(proposed.superseded == _hashKeys(superseded), ChargeBook_SupersededDiffer(run));
        proposed.state = RunState.Active;
        emit RunActivated(run);
        for (uint256 i = 0; i < superseded.length; ++i) {
            require(
                i == 0 || BillKey.unwrap(superseded[i]) > BillKey.unwrap(superseded[i - 1]),
                ChargeBook_SupersededNotAscending(superseded[i])
            );
            _supersede(superseded[i], run);
        }
    }

    /// @inheritdoc IChargeBook
    function veto(uint32 run, bytes32 reason) external restricted {
        // A state is compared, no moment: the detector follows a struct that holds one.
        // slither-disable-next-line timestamp
        require(_runs[run].state == RunState.Proposed, ChargeBook_RunNotProposed(run));
        _runs[run].state = RunState.Vetoed;
        emit RunVetoed(run, reason);
    }

    /// @inheritdoc IChargeBook
    function closeIfOpen(uint32 run, uint32 index, bytes32 leaf, bytes32[] calldata proof)
        external
        onlySettlement
        returns (BillState)
    {
        _checkProof(run, index, leaf, proof);
        return BillState(_closeIfOpen(run, index, true));
    }

    /// @inheritdoc IChargeBook
    function closeManyIfOpen(uint32 run, uint256[] memory pairs, bytes32[] calldata proof)
        external
        onlySettlement
        returns (uint256[] memory others)
    {
        (bytes32 root, uint256 count, uint256 depth) = _active(run);
        require(pairs.length != 0, ChargeBook_WrongMultiproof(run));
        uint256 next = 0;
        for (uint256 i = 0; i < pairs.length; i += 2) {
            uint256 place = pairs[i];
            uint256 index = uint32(place);
            require(index >= next && index < count, ChargeBook_NoSuchBill(Bill.key(run, uint32(index))));
            unchecked {
                next = index + 1; // 32 bits
            }
            pairs[i] = index;
            uint256 before = _closeIfOpen(run, uint32(index), place != index);
            if (place == index || before != 0) others = _with(others, (i >> 1) << 8 | before);
        }
        require(Merkle.rootOfMany(pairs, proof, depth) == root, ChargeBook_WrongMultiproof(run));
    }

    /// @inheritdoc IChargeBook
    function setState(uint32 run, uint32 index, BillState state) external onlySettlement {
        _setState(run, index, state);
    }

    /// @inheritdoc IChargeBook
    function proveBill(uint32 run, uint32 index, bytes32 leaf, bytes32[] calldata proof)
        external
        view
        returns (BillState)
    {
        _checkProof(run, index, leaf, proof);
        return stateOf(run, index);
    }

    /// @inheritdoc IChargeBook
    function runOf(uint32 run)
        external
        view
        returns (bytes32 root, uint32 count, RunState state, uint40 activatableAt, bytes32 superseded)
    {
        Run storage known = _runs[run];
        return (known.root, known.count, known.state, known.activatableAt, known.superseded);
    }

    /// @inheritdoc IChargeBook
    function stateOf(uint32 run, uint32 index) public view returns (BillState) {
        return BillState((_states[_word(run, index)] >> _shift(index)) & 3);
    }

    /// @dev One more element; rare, so that a copy for each does not matter.
    function _with(uint256[] memory list, uint256 element) private pure returns (uint256[] memory longer) {
        longer = new uint256[](list.length + 1);
        for (uint256 i = 0; i < list.length; ++i) {
            longer[i] = list[i];
        }
        longer[list.length] = element;
    }

    function _checkProof(uint32 run, uint32 index, bytes32 leaf, bytes32[] calldata proof) private view {
        (bytes32 root, uint256 count, uint256 depth) = _active(run);
        require(index < count && proof.length == depth, ChargeBook_NoSuchBill(Bill.key(run, index)));
        require(Merkle.rootOf(leaf, index, proof) == root, ChargeBook_WrongProof(Bill.key(run, index)));
    }

    function _closeIfOpen(uint32 run, uint32 index, bool close) private returns (uint256 before) {
        uint256 word = _word(run, index);
        uint256 shift = _shift(index);
        uint256 states = _states[word];
        before = (states >> shift) & 3;
        if (close && before == uint256(BillState.Open)) _states[word] = states | (uint256(BillState.Paid) << shift);
    }

    function _setState(uint32 run, uint32 index, BillState state) private {
        uint256 word = _word(run, index);
        uint256 shift = _shift(index);
        uint256 states = _states[word];
        BillState before = BillState((states >> shift) & 3);
        if (before == state) return;
        require(before < BillState.Paid, ChargeBook_StateIsFinal(Bill.key(run, index), before));
        _states[word] = (states & ~(uint256(3) << shift)) | (uint256(state) << shift);
    }

    function _supersede(BillKey bill, uint32 byRun) private {
        uint32 run = uint32(BillKey.unwrap(bill) >> 32);
        uint32 index = uint32(BillKey.unwrap(bill));
        require(run != byRun, ChargeBook_OwnBill(bill));
        (, uint256 count,) = _active(run);
        require(index < count, ChargeBook_NoSuchBill(bill));
        BillState state = stateOf(run, index);
        require(state == BillState.Open, ChargeBook_BillNotOpen(bill, state));
        _setState(run, index, BillState.Superseded);
        emit BillSuperseded(bill, byRun);
    }

    function _active(uint32 run) private view returns (bytes32 root, uint256 count, uint256 depth) {
        Run storage known = _runs[run];
        RunState state = known.state;
        require(state != RunState.None, ChargeBook_UnknownRun(run));
        require(state == RunState.Active, ChargeBook_RunNotActive(run));
        return (known.root, known.count, known.depth);
    }

    function _checkSuppliers(SupplierTotal[] calldata suppliers) private pure {
        uint16 previous = 0;
        for (uint256 i = 0; i < suppliers.length; ++i) {
            uint16 supplier = SupplierId.unwrap(suppliers[i].supplier);
            require(supplier > previous, ChargeBook_SuppliersNotAscending(suppliers[i].supplier));
            previous = supplier;
        }
    }

    /// @dev The anchor keeps the last head only: an earlier one is checked off chain by whoever holds the files.
    function _checkHeads(UsedHead[] calldata heads) private view {
        for (uint256 i = 0; i < heads.length; ++i) {
            UsedHead calldata used = heads[i];
            // A call for each, to our own contract, which calls nobody back.
            // slither-disable-next-line calls-loop
            Head memory head = ANCHOR.headOf(used.source);
            bool passed = used.epoch < head.epoch || (used.epoch == head.epoch && used.sequence < head.sequence);
            bool same = used.epoch == head.epoch && used.sequence == head.sequence && used.hash == head.hash;
            require(passed || same, ChargeBook_UnknownReadings(used.source, used.sequence));
        }
    }

    function _hashKeys(BillKey[] calldata keys) private pure returns (bytes32) {
        return keys.length == 0 ? bytes32(0) : keccak256(abi.encodePacked(keys));
    }

    function _word(uint32 run, uint32 index) private pure returns (uint256) {
        return uint256(run) << 32 | (index >> BILLS_PER_WORD_BITS);
    }

    function _shift(uint32 index) private pure returns (uint256) {
        return uint256(index & 127) << 1;
    }
}
