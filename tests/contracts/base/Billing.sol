// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChargeBook} from "../../../contracts/src/interfaces/IChargeBook.sol";
import {
    BillKey,
    BillState,
    GrantClaim,
    LineRecord,
    ProvenBill,
    SplitAuthorization,
    SupplierId
} from "../../../contracts/src/types/Types.sol";
import {Blobs} from "./Blobs.sol";
import {Signing} from "./Signing.sol";
import {Town} from "./Town.sol";
import {Trees} from "./Trees.sol";

/// @title Runs, bills, grants and orders as the off-chain side makes them
abstract contract Billing is Town {
    /// @dev One bill of an agent's batch, before it is packed.
    struct BatchBill {
        uint32 index;
        uint48 maximum;
        bytes blob;
    }

    mapping(uint32 run => bytes[]) internal blobsOf;
    mapping(uint32 batch => bytes[]) internal grantsOf;
    uint256 private _salt;

    // --- bills ---

    function key(uint32 run, uint32 index) internal pure returns (BillKey) {
        return BillKey.wrap(uint64(run) * 2 ** 32 + index);
    }

    function rawKey(uint32 run, uint32 index) internal pure returns (uint64) {
        return uint64(run) * 2 ** 32 + index;
    }

    /// @notice A bill with lines of suppliers 1, 2, 3, … in this order.
    function billOf(uint48[] memory amounts) internal returns (bytes memory) {
        return Blobs.bill(_commit(), _suppliers(amounts.length), amounts);
    }

    function billOf(uint48 a) internal returns (bytes memory) {
        return billOf(_list(a));
    }

    function billOf(uint48 a, uint48 b, uint48 c) internal returns (bytes memory) {
        return billOf(_list(a, b, c));
    }

    function creditNote(uint48[] memory amounts, uint32 run, uint32 index) internal returns (bytes memory) {
        return Blobs.note(_commit(), Blobs.CREDIT_NOTE, _suppliers(amounts.length), amounts, rawKey(run, index));
    }

    function debitNote(uint48[] memory amounts, uint32 run, uint32 index) internal returns (bytes memory) {
        return Blobs.note(_commit(), Blobs.DEBIT_NOTE, _suppliers(amounts.length), amounts, rawKey(run, index));
    }

    function billNetting(uint48[] memory amounts, uint8 line, uint48 credit, bytes32 prepayment)
        internal
        returns (bytes memory)
    {
        Blobs.Credit[] memory credits = new Blobs.Credit[](1);
        credits[0] = Blobs.Credit({line: line, amount: credit, prepayment: prepayment});
        return Blobs.billWithCredits(_commit(), _suppliers(amounts.length), amounts, credits);
    }

    // --- runs ---

    function proposalFor(bytes[] memory blobs) internal pure returns (IChargeBook.Proposal memory proposal) {
        proposal.period = 202_601;
        proposal.count = uint32(blobs.length);
        proposal.root = Trees.root(_leaves(blobs));
        proposal.tariffVersion = 1;
        proposal.engine = keccak256("engine 1");
    }

    function propose(bytes[] memory blobs, BillKey[] memory superseded) internal returns (uint32 run) {
        IChargeBook.Proposal memory proposal = proposalFor(blobs);
        proposal.superseded = hashKeys(superseded);
        vm.prank(biller);
        run = charges.propose(proposal);
        for (uint256 i = 0; i < blobs.length; ++i) {
            blobsOf[run].push(blobs[i]);
        }
    }

    function postRun(bytes[] memory blobs) internal returns (uint32 run) {
        BillKey[] memory none = new BillKey[](0);
        run = propose(blobs, none);
        vm.warp(vm.getBlockTimestamp() + ACTIVATION_DELAY);
        charges.activate(run, none);
    }

    function postRun(bytes memory blob) internal returns (uint32) {
        return postRun(_blobs(blob));
    }

    function hashKeys(BillKey[] memory keys) internal pure returns (bytes32) {
        if (keys.length == 0) return 0;
        bytes memory joined;
        for (uint256 i = 0; i < keys.length; ++i) {
            joined = bytes.concat(joined, bytes32(uint256(BillKey.unwrap(keys[i]))));
        }
        return keccak256(joined);
    }

    function proven(uint32 run, uint32 index) internal view returns (ProvenBill memory) {
        bytes[] memory blobs = blobsOf[run];
        return ProvenBill(run, index, blobs[index], Trees.proof(_leaves(blobs), index));
    }

    function stateOf(uint32 run, uint32 index) internal view returns (BillState) {
        return charges.stateOf(run, index);
    }

    function assertState(uint32 run, uint32 index, BillState expected) internal view {
        vm.assertEq(uint256(stateOf(run, index)), uint256(expected), "state of the bill");
    }

    function recordOf(uint32 run, uint32 index, uint8 line) internal view returns (LineRecord memory) {
        return settlement.lineRecord(key(run, index), line);
    }

    // --- a batch of an agent ---

    function batchOf(uint32 run, uint32[] memory indices)
        internal
        view
        returns (BatchBill[] memory bills, bytes32[] memory multiproof)
    {
        bytes[] memory blobs = blobsOf[run];
        bills = new BatchBill[](indices.length);
        uint256[] memory places = new uint256[](indices.length);
        for (uint256 i = 0; i < indices.length; ++i) {
            bills[i] = BatchBill(indices[i], type(uint48).max, blobs[indices[i]]);
            places[i] = indices[i];
        }
        multiproof = Trees.multiproof(_leaves(blobs), places);
    }

    /// @notice docs/protocol.md §6: index (4) ‖ maximum (6) ‖ length of the blob (2) ‖ blob.
    function packed(BatchBill[] memory bills) internal pure returns (bytes memory list) {
        for (uint256 i = 0; i < bills.length; ++i) {
            BatchBill memory bill = bills[i];
            list = bytes.concat(
                list, abi.encodePacked(bill.index, bill.maximum, uint16(bill.blob.length), bill.blob)
            );
        }
    }

    // --- grants ---

    function postGrants(address wallet, bytes[] memory grants, uint64 total) internal returns (uint32 batch) {
        bytes32 root = Trees.root(_leaves(grants));
        vm.prank(wallet);
        batch = subsidies.post(root, uint32(grants.length), total, keccak256("decision"));
        for (uint256 i = 0; i < grants.length; ++i) {
            grantsOf[batch].push(grants[i]);
        }
    }

    /// @notice One grant in a batch of its own, good for a year.
    function postGrant(address wallet, uint32 run, uint32 index, uint8 line, uint48 maximum)
        internal
        returns (uint32)
    {
        return postGrants(wallet, _blobs(grantFor(run, index, line, maximum)), maximum);
    }

    function grantFor(uint32 run, uint32 index, uint8 line, uint48 maximum) internal returns (bytes memory) {
        return Blobs.grant(_commit(), rawKey(run, index), line, maximum, uint40(vm.getBlockTimestamp()) + 365 days);
    }

    function claim(uint32 batch, uint32 grantIndex, uint32 run, uint32 index)
        internal
        view
        returns (GrantClaim memory)
    {
        bytes[] memory grants = grantsOf[batch];
        return GrantClaim(
            batch, grantIndex, grants[grantIndex], Trees.proof(_leaves(grants), grantIndex), proven(run, index)
        );
    }

    function claims(uint32 batch, uint32 run, uint32 index) internal view returns (GrantClaim[] memory list) {
        list = new GrantClaim[](1);
        list[0] = claim(batch, 0, run, index);
    }

    // --- orders and supplier's refunds ---

    function order(address from, uint32 run, uint32 index, uint256 maximum, uint256 nonce)
        internal
        view
        returns (SplitAuthorization memory)
    {
        return _authorized(
            from, maximum, nonce, type(uint256).max, Signing.purpose("pay", run, index, 0, address(0))
        );
    }

    function refundOrder(
        address from,
        uint32 run,
        uint32 index,
        uint8 line,
        address recipient,
        uint256 maximum,
        uint256 nonce
    ) internal view returns (SplitAuthorization memory) {
        return _authorized(
            from, maximum, nonce, type(uint256).max, Signing.purpose("refund", run, index, line, recipient)
        );
    }

    function roubleDomain() internal view returns (bytes32) {
        return Signing.domain("Kopeck Rouble", block.chainid, address(rouble));
    }

    function _authorized(address from, uint256 maximum, uint256 nonce, uint256 validBefore, bytes32 purpose)
        internal
        view
        returns (SplitAuthorization memory auth)
    {
        auth = SplitAuthorization(from, maximum, nonce, validBefore, "");
        auth.signature =
            signature(from, Signing.digest(roubleDomain(), Signing.split(auth, address(settlement), purpose)));
    }

    function _supplier(uint16 id) internal pure returns (SupplierId) {
        return SupplierId.wrap(id);
    }

    // --- small lists ---

    function _commit() internal returns (bytes32) {
        return keccak256(abi.encode("commit", ++_salt));
    }

    function _suppliers(uint256 count) internal pure returns (uint16[] memory list) {
        list = new uint16[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = uint16(i + 1);
        }
    }

    function _leaves(bytes[] memory blobs) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](blobs.length);
        for (uint256 i = 0; i < blobs.length; ++i) {
            leaves[i] = Trees.leafHash(blobs[i]);
        }
    }

    function _blobs(bytes memory a) internal pure returns (bytes[] memory list) {
        list = new bytes[](1);
        list[0] = a;
    }

    function _blobs(bytes memory a, bytes memory b) internal pure returns (bytes[] memory list) {
        list = new bytes[](2);
        (list[0], list[1]) = (a, b);
    }

    function _blobs(bytes memory a, bytes memory b, bytes memory c) internal pure returns (bytes[] memory list) {
        list = new bytes[](3);
        (list[0], list[1], list[2]) = (a, b, c);
    }

    function _list(uint48 a) internal pure returns (uint48[] memory list) {
        list = new uint48[](1);
        list[0] = a;
    }

    function _list(uint48 a, uint48 b, uint48 c) internal pure returns (uint48[] memory list) {
        list = new uint48[](3);
        (list[0], list[1], list[2]) = (a, b, c);
    }

    function _keys(BillKey a) internal pure returns (BillKey[] memory list) {
        list = new BillKey[](1);
        list[0] = a;
    }

    function _keys(BillKey a, BillKey b) internal pure returns (BillKey[] memory list) {
        list = new BillKey[](2);
        (list[0], list[1]) = (a, b);
    }

    function _indices(uint32 a) internal pure returns (uint32[] memory list) {
        list = new uint32[](1);
        list[0] = a;
    }

    function _indices(uint32 a, uint32 b) internal pure returns (uint32[] memory list) {
        list = new uint32[](2);
        (list[0], list[1]) = (a, b);
    }

    function _indices(uint32 a, uint32 b, uint32 c) internal pure returns (uint32[] memory list) {
        list = new uint32[](3);
        (list[0], list[1], list[2]) = (a, b, c);
    }
}
