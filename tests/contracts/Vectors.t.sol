// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Bill} from "../../contracts/src/libraries/Bill.sol";
import {Merkle} from "../../contracts/src/libraries/Merkle.sol";
import {SplitTypes} from "../../contracts/src/libraries/SplitTypes.sol";
import {BatchHeader, SplitAuthorization} from "../../contracts/src/types/Types.sol";
import {Town} from "./base/Town.sol";

/// @notice The golden vectors that Python and JavaScript check too, made by other code than ours. Trees and divisions
/// are in libraries/.
contract VectorsTest is Town {
    string private _json;

    // --- the libraries, from calldata ---

    function leafHash(bytes calldata blob) external pure returns (bytes32) {
        return Merkle.leafHash(blob);
    }

    function head(bytes calldata blob) external pure returns (bool wellFormed, uint8 kind, uint256 lines) {
        return (Bill.wellFormed(blob), Bill.kind(blob), Bill.lineCount(blob));
    }

    function line(bytes calldata blob, uint256 i) external pure returns (uint256 supplier, uint256 amount) {
        return Bill.line(blob, i);
    }

    function splitHash(SplitAuthorization calldata split, address spender, bytes32 purpose)
        external
        pure
        returns (bytes32)
    {
        return SplitTypes.structHash(split, spender, purpose);
    }

    // --- leaves ---

    function test_ReadingLeaves() public {
        _json = vm.readFile("tests/vectors/readings.json");
        uint256 count = 0;
        for (; vm.keyExistsJson(_json, _at(count, "blob")); ++count) {
            _assertLeaf(_at(count, "blob"), _at(count, "leaf"));
        }
        vm.assertGe(count, 3, "readings");
    }

    function test_BillLeavesAndTheirLayout() public {
        _json = vm.readFile("tests/vectors/bills.json");
        uint256 count = 0;
        for (; vm.keyExistsJson(_json, _at(count, "blob")); ++count) {
            _assertLeaf(_at(count, "blob"), _at(count, "leaf"));
            _assertBill(count);
        }
        vm.assertGe(count, 3, "bills");
    }

    function test_GrantAndSupplierLeaves() public {
        _json = vm.readFile("tests/vectors/small_leaves.json");
        _assertLeaf(".grant.blob", ".grant.leaf");
        _assertLeaf(".supplier_line.blob", ".supplier_line.leaf");
        bytes32 salt = vm.parseJsonBytes32(_json, ".grant.salt");
        bytes32 decision = vm.parseJsonBytes32(_json, ".grant.decision");
        bytes32 commit = keccak256(abi.encodePacked(salt, decision));
        vm.assertEq(commit, vm.parseJsonBytes32(_json, ".grant.commit"), "commit");
    }

    // --- names ---

    function test_NamesThatTheChainMakes() public {
        _json = vm.readFile("tests/vectors/names.json");
        address payer = _address(".prepayment.payer");
        bytes32 tag = vm.parseJsonBytes32(_json, ".prepayment.tag");
        bytes32 prepayment = keccak256(abi.encodePacked(payer, tag));
        vm.assertEq(prepayment, vm.parseJsonBytes32(_json, ".prepayment.value"), "prepayment");
        uint64[] memory keys = new uint64[](3);
        for (uint256 i = 0; i < 3; ++i) {
            uint256[] memory pair = vm.parseJsonUintArray(_json, string.concat(".superseded.bills[", vm.toString(i), "]"));
            keys[i] = uint64(pair[0] << 32 | pair[1]);
        }
        vm.assertEq(keccak256(abi.encodePacked(keys)), vm.parseJsonBytes32(_json, ".superseded.value"), "superseded");
    }

    // --- what is signed ---

    function test_HeadersHash() public {
        _json = vm.readFile("tests/vectors/signatures.json");
        BatchHeader memory header = BatchHeader({
            source: uint32(_uint(".header.message.source")),
            epoch: uint16(_uint(".header.message.epoch")),
            sequence: uint48(_uint(".header.message.sequence")),
            previous: bytes24(vm.parseJsonBytes(_json, ".header.message.previous")),
            root: vm.parseJsonBytes32(_json, ".header.message.root"),
            count: uint32(_uint(".header.message.count")),
            periodStart: uint40(_uint(".header.message.periodStart")),
            periodEnd: uint40(_uint(".header.message.periodEnd")),
            document: vm.parseJsonBytes32(_json, ".header.message.document")
        });
        (bytes32 hash,) = anchor.hashHeader(header);
        vm.assertEq(hash, vm.parseJsonBytes32(_json, ".header.struct_hash"), "header");
    }

    function test_OrdersAndRefundsHash() public {
        _json = vm.readFile("tests/vectors/signatures.json");
        bytes32 pay = SplitTypes.payPurpose(
            uint32(_uint(".pay.message.purpose.run")), uint32(_uint(".pay.message.purpose.index"))
        );
        _assertSplit(".pay", pay);
        bytes32 refund = SplitTypes.refundPurpose(
            uint32(_uint(".refund.message.purpose.run")),
            uint32(_uint(".refund.message.purpose.index")),
            uint8(_uint(".refund.message.purpose.line")),
            _address(".refund.message.purpose.recipient")
        );
        _assertSplit(".refund", refund);
    }

    function _assertSplit(string memory name, bytes32 purpose) private view {
        string memory message = string.concat(name, ".message");
        SplitAuthorization memory split = SplitAuthorization({
            payer: _address(string.concat(message, ".payer")),
            maximum: _uint(string.concat(message, ".maximum")),
            nonce: _uint(string.concat(message, ".nonce")),
            validBefore: _uint(string.concat(message, ".validBefore")),
            signature: vm.parseJsonBytes(_json, string.concat(name, ".signature"))
        });
        bytes32 hash = this.splitHash(split, _address(string.concat(message, ".spender")), purpose);
        vm.assertEq(hash, vm.parseJsonBytes32(_json, string.concat(name, ".struct_hash")), name);
        bytes32 domain = vm.parseJsonBytes32(_json, string.concat(name, ".domain_separator"));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, hash));
        vm.assertEq(digest, vm.parseJsonBytes32(_json, string.concat(name, ".digest")), name);
        bytes memory signature = split.signature;
        vm.assertEq(ecrecover(digest, uint8(signature[64]), _word(signature, 0), _word(signature, 32)), split.payer, name);
    }

    function _assertBill(uint256 i) private view {
        bytes memory blob = vm.parseJsonBytes(_json, _at(i, "blob"));
        (bool wellFormed, uint8 kind, uint256 lines) = this.head(blob);
        vm.assertTrue(wellFormed, "well formed");
        vm.assertEq(kind, _uint(_at(i, "kind")), "kind");
        for (uint256 k = 0; k < lines; ++k) {
            string memory place = _at(i, string.concat("lines[", vm.toString(k), "]"));
            (uint256 supplier, uint256 amount) = this.line(blob, k);
            vm.assertEq(supplier, _uint(string.concat(place, ".supplier")), "supplier");
            vm.assertEq(amount, _uint(string.concat(place, ".amount")), "amount");
        }
        vm.assertTrue(!vm.keyExistsJson(_json, _at(i, string.concat("lines[", vm.toString(lines), "]"))), "lines");
    }

    function _assertLeaf(string memory blob, string memory leaf) private view {
        bytes32 hash = this.leafHash(vm.parseJsonBytes(_json, blob));
        vm.assertEq(hash, vm.parseJsonBytes32(_json, leaf), blob);
    }

    function _uint(string memory key) private view returns (uint256) {
        return vm.parseJsonUint(_json, key);
    }

    function _address(string memory key) private view returns (address) {
        return address(bytes20(vm.parseJsonBytes(_json, key)));
    }

    function _word(bytes memory data, uint256 from) private pure returns (bytes32 word) {
        for (uint256 i = 0; i < 32; ++i) {
            word |= bytes32(data[from + i]) >> (8 * i);
        }
    }

    function _at(uint256 i, string memory field) private pure returns (string memory) {
        return string.concat("[", vm.toString(i), "].", field);
    }
}
