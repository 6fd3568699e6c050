// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ISubsidyBook} from "./interfaces/ISubsidyBook.sol";
import {Merkle} from "./libraries/Merkle.sol";
import {BillKey} from "./types/Types.sol";

/// @notice See `ISubsidyBook`.
contract SubsidyBook is ISubsidyBook, AccessManaged {
    struct Batch {
        // slot 0
        bytes32 root;
        // slot 1
        address wallet;
        uint32 count;
        bool reversed;
        // slot 2
        uint64 total;
        uint64 used;
    }

    /// @dev commit (32) ‖ bill (8) ‖ line (1) ‖ maximum (6) ‖ expires at (5)
    uint256 private constant BLOB_LENGTH = 52;

    // Immutables are written as constants are.
    // slither-disable-start naming-convention
    IERC20 public immutable ROUBLE;
    address public immutable SETTLEMENT;
    // slither-disable-end naming-convention

    uint32 public batchCount;

    /// @inheritdoc ISubsidyBook
    mapping(address wallet => uint256) public committedBy;

    mapping(uint32 batch => Batch) private _batches;
    mapping(uint256 word => uint256) private _spent;

    constructor(address authority, IERC20 rouble, address settlement) AccessManaged(authority) {
        ROUBLE = rouble;
        // The Settlement is deployed later, at an address known before; the deployment checks it.
        // slither-disable-next-line missing-zero-check
        SETTLEMENT = settlement;
    }

    /// @inheritdoc ISubsidyBook
    function post(bytes32 root, uint32 count, uint64 total, bytes32 act) external restricted returns (uint32 batch) {
        require(root != 0 && count != 0 && total != 0 && act != 0, SubsidyBook_EmptyBatch());
        uint256 committed = committedBy[msg.sender] + total;
        uint256 allowed = ROUBLE.allowance(msg.sender, SETTLEMENT);
        require(allowed >= committed, SubsidyBook_TotalNotAllowed(allowed, committed));
        batch = ++batchCount;
        committedBy[msg.sender] = committed;
        _batches[batch] =
            Batch({root: root, wallet: msg.sender, count: count, reversed: false, total: total, used: 0});
        emit GrantsPosted(batch, msg.sender, root, count, total, act);
    }

    /// @inheritdoc ISubsidyBook
    function reverseBatch(uint32 batch, bytes32 act) external {
        Batch storage known = _owned(batch);
        known.reversed = true;
        committedBy[msg.sender] -= known.total - known.used;
        emit BatchReversed(batch, act);
    }

    /// @inheritdoc ISubsidyBook
    function reverseGrant(uint32 batch, uint32 index, bytes32 act) external {
        require(index < _owned(batch).count, SubsidyBook_NoSuchGrant(batch, index));
        _spend(batch, index);
        emit GrantReversed(batch, index, act);
    }

    /// @inheritdoc ISubsidyBook
    function use(uint32 batch, uint32 index, BillKey bill, uint8 line, uint48 amount) external {
        require(msg.sender == SETTLEMENT, SubsidyBook_NotSettlement(msg.sender));
        _spend(batch, index);
        Batch storage known = _batches[batch];
        uint64 left = known.total - known.used;
        require(amount <= left, SubsidyBook_TotalExceeded(batch, left, amount));
        known.used += amount;
        committedBy[known.wallet] -= amount;
        emit GrantUsed(batch, index, bill, line, amount);
    }

    /// @inheritdoc ISubsidyBook
    function proveGrant(uint32 batch, uint32 index, bytes calldata blob, bytes32[] calldata proof)
        external
        view
        returns (address wallet, BillKey bill, uint8 line, uint48 maximum)
    {
        Batch storage known = _batches[batch];
        wallet = known.wallet;
        require(wallet != address(0), SubsidyBook_UnknownBatch(batch));
        require(!known.reversed, SubsidyBook_BatchReversed(batch));
        uint256 count = known.count;
        require(
            index < count && proof.length == Merkle.depthOf(count), SubsidyBook_NoSuchGrant(batch, index)
        );
        require(blob.length == BLOB_LENGTH, SubsidyBook_WrongLength(blob.length));
        require(
            Merkle.rootOf(Merkle.leafHash(blob), index, proof) == known.root, SubsidyBook_WrongProof(batch, index)
        );
        require(!isSpent(batch, index), SubsidyBook_GrantSpent(batch, index));
        uint40 expiresAt = uint40(bytes5(blob[47:]));
        // Hours and days are counted here: the seconds a validator can choose change nothing.
        // slither-disable-next-line timestamp
        require(block.timestamp < expiresAt, SubsidyBook_GrantExpired(batch, index, expiresAt));
        bill = BillKey.wrap(uint64(bytes8(blob[32:])));
        line = uint8(blob[40]);
        uint64 left = known.total - known.used;
        maximum = uint48(bytes6(blob[41:]));
        if (maximum > left) maximum = uint48(left);
    }

    /// @inheritdoc ISubsidyBook
    function batchOf(uint32 batch)
        external
        view
        returns (address wallet, bytes32 root, uint32 count, uint64 total, uint64 used, bool reversed)
    {
        Batch storage known = _batches[batch];
        return (known.wallet, known.root, known.count, known.total, known.used, known.reversed);
    }

    /// @inheritdoc ISubsidyBook
    function isSpent(uint32 batch, uint32 index) public view returns (bool) {
        return (_spent[_word(batch, index)] >> (index & 255)) & 1 == 1;
    }

    function _spend(uint32 batch, uint32 index) private {
        require(!isSpent(batch, index), SubsidyBook_GrantSpent(batch, index));
        _spent[_word(batch, index)] |= 1 << (index & 255);
    }

    function _owned(uint32 batch) private view returns (Batch storage known) {
        known = _batches[batch];
        require(known.wallet != address(0), SubsidyBook_UnknownBatch(batch));
        require(known.wallet == msg.sender, SubsidyBook_NotWallet(batch, msg.sender));
        require(!known.reversed, SubsidyBook_BatchReversed(batch));
    }

    function _word(uint32 batch, uint32 index) private pure returns (uint256) {
        return uint256(batch) << 32 | (index >> 8);
    }
}
