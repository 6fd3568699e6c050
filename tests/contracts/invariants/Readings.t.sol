// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {BatchHeader, Head, SourceClass} from "../../../contracts/src/types/Types.sol";
import {Signing} from "../base/Signing.sol";
import {Test} from "../base/Test.sol";
import {Town} from "../base/Town.sol";

/// @title Sources that anchor, skip, repeat, fork, rotate, reset and are revoked, in any order
contract ReadingHandler is Town {
    /// @dev Every header and reset that the chain took, in order, of each source.
    struct Taken {
        uint16 epoch;
        uint48 sequence;
        bytes24 previous;
        bytes24 head;
        bool reset;
    }

    uint32[3] public sources;
    mapping(uint32 source => Taken[]) internal chainOf;
    mapping(uint32 source => uint256) public keyNumber;
    mapping(uint32 source => bool) public revoked;
    mapping(uint32 source => bool) public forked;
    uint256[7] public reached; // anchored, refused, reset, reset refused, equivocated, rotated, revoked
    uint256 public calls;
    string public breach;

    function setUp() public override {
        super.setUp();
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(operator);
            sources[i] = registry.registerSource(_key(uint32(i + 2)), SourceClass.Concentrator, START);
        }
    }

    function links(uint32 id) external view returns (uint256) {
        return chainOf[id].length;
    }

    function link(uint32 id, uint256 at) external view returns (Taken memory) {
        return chainOf[id][at];
    }

    function headOf(uint32 id) external view returns (Head memory) {
        return anchor.headOf(id);
    }

    function equivocated(uint32 id) external view returns (bool) {
        return anchor.equivocated(id);
    }

    function anchorNext(uint256 seed) external {
        ++calls;
        uint32 id = sources[seed % 3];
        BatchHeader memory h = _next(id, seed);
        bytes memory sig = _sign(_key(id), Signing.header(h));
        vm.prank(stranger);
        try anchor.anchor(h, sig) {
            _break(revoked[id], "a revoked source anchored");
            chainOf[id].push(Taken(h.epoch, h.sequence, h.previous, bytes24(Signing.header(h)), false));
            ++reached[0];
        } catch {
            _break(!revoked[id], "a good batch was refused");
            ++reached[1];
        }
    }

    /// @dev A gap, a repeat, another head, another epoch, an old key, another source's key, another chain.
    function anchorWrong(uint256 seed) external {
        ++calls;
        uint32 id = sources[seed % 3];
        BatchHeader memory h = _next(id, seed);
        address signer = _key(id);
        uint256 kind = (seed >> 8) % 6;
        if (kind == 0) h.sequence += uint48(1 + (seed >> 16) % 5);
        if (kind == 1) h.sequence -= 1;
        if (kind == 2) h.previous = bytes24(keccak256(abi.encode(seed)));
        if (kind == 3) h.epoch += 1;
        if (kind == 4) signer = _key(sources[(seed % 3 + 1) % 3]);
        bytes memory sig = _sign(signer, Signing.header(h));
        if (kind == 5) h.root = keccak256("altered after signing");
        try anchor.anchor(h, sig) {
            _break(true, "a wrong batch was anchored");
        } catch {
            ++reached[1];
        }
    }

    function reset(uint256 seed) external {
        ++calls;
        uint32 id = sources[seed % 3];
        Head memory head = anchor.headOf(id);
        bool honest = (seed >> 8) % 3 != 0;
        uint16 epoch = head.epoch + 1;
        bytes32 hash = Signing.epochReset(id, epoch, head.hash, bytes32(seed));
        address second = honest ? operator : stranger;
        (bytes memory a, bytes memory b) = (_sign(_key(id), hash), _sign(second, hash));
        try anchor.resetEpoch(id, bytes32(seed), a, b) {
            _break(!honest || revoked[id], "a reset without the operator, or of a revoked source");
            chainOf[id].push(Taken(epoch, 0, head.hash, bytes24(hash), true));
            ++reached[2];
        } catch {
            _break(honest && !revoked[id], "a good reset was refused");
            ++reached[3];
        }
    }

    function equivocate(uint256 seed) external {
        ++calls;
        uint32 id = sources[seed % 3];
        (BatchHeader memory a, BatchHeader memory b) = (_next(id, seed), _next(id, seed));
        b.root = keccak256("another");
        Head memory before = anchor.headOf(id);
        anchor.reportEquivocation(a, _sign(_key(id), Signing.header(a)), b, _sign(_key(id), Signing.header(b)));
        Head memory now_ = anchor.headOf(id);
        _break(keccak256(abi.encode(before)) != keccak256(abi.encode(now_)), "a report moved the chain");
        forked[id] = true;
        ++reached[4];
    }

    function rotate(uint256 seed) external {
        ++calls;
        uint32 id = sources[seed % 3];
        if (revoked[id]) return;
        ++keyNumber[id];
        address key = _key(id);
        vm.prank(operator);
        registry.rotateSource(id, key, uint40(vm.getBlockTimestamp()));
        ++reached[5];
    }

    /// @dev Rarely, and never all three: a revoked source anchors no more.
    function revoke(uint256 seed) external {
        ++calls;
        uint32 id = sources[seed % 2];
        if (seed % 16 != 0 || revoked[id]) return;
        revoked[id] = true;
        vm.prank(guardian);
        registry.revokeSource(id);
        ++reached[6];
    }

    function _next(uint32 id, uint256 seed) private view returns (BatchHeader memory h) {
        Head memory head = anchor.headOf(id);
        (h.source, h.epoch, h.sequence, h.previous) = (id, head.epoch, head.sequence + 1, head.hash);
        (h.root, h.count) = (keccak256(abi.encode(seed)), uint32(1 + seed % 10_000));
        (h.periodStart, h.periodEnd) = (START - 1800, START);
    }

    function _key(uint32 id) private returns (address) {
        return actor(string.concat("source ", vm.toString(id), " key ", vm.toString(keyNumber[id])));
    }

    function _sign(address signer, bytes32 hash) private view returns (bytes memory) {
        bytes32 domain = Signing.domain("Kopeck ReadingAnchor", block.chainid, address(anchor));
        return signature(signer, Signing.digest(domain, hash));
    }

    function _break(bool wrong, string memory what) private {
        if (wrong && bytes(breach).length == 0) breach = what;
    }
}

/// @notice Invariant 4: sequences grow by one within an epoch, and the hash chain is whole.
contract ReadingInvariants is Test {
    ReadingHandler internal town;

    function setUp() public {
        town = new ReadingHandler();
        town.setUp();
        targetContract(address(town));
        targetSelector(FuzzSelector(address(town), _actions()));
    }

    function invariant_ChainsOfReadingsAreWhole() public view {
        vm.assertEq(bytes(town.breach()), "", "a breach");
        for (uint256 i = 0; i < 3; ++i) {
            uint32 id = town.sources(i);
            uint256 count = town.links(id);
            Head memory head = town.headOf(id);
            vm.assertTrue(town.equivocated(id) == town.forked(id), "flag");
            if (count == 0) {
                vm.assertEq(head.sequence, 0, "a head from nothing");
                continue;
            }
            ReadingHandler.Taken memory last = town.link(id, count - 1);
            vm.assertEq(bytes32(head.hash), bytes32(last.head), "head");
            vm.assertEq(head.sequence, last.sequence, "sequence");
            vm.assertEq(head.epoch, last.epoch, "epoch");
            _assertLink(id, count - 1);
        }
    }

    function afterInvariant() public view {
        for (uint256 i = 0; i < 3; ++i) {
            uint32 id = town.sources(i);
            for (uint256 j = 0; j < town.links(id); ++j) {
                _assertLink(id, j);
            }
        }
        if (town.calls() >= 90) _assertReached(2);
    }

    function test_TheHandlerGoesEveryWay() public {
        bytes4[] memory actions = _actions();
        for (uint256 i = 0; i < 400; ++i) {
            bytes32 seed = keccak256(abi.encode("walk", i));
            (bool success,) =
                address(town).call(abi.encodePacked(actions[uint256(seed) % 6], keccak256(abi.encode(seed))));
            vm.assertTrue(success, "the handler reverted");
        }
        invariant_ChainsOfReadingsAreWhole();
        afterInvariant();
        _assertReached(7);
    }

    /// @dev One link: the sequence is one more in the same epoch, or a reset began the next epoch at zero.
    function _assertLink(uint32 id, uint256 at) private view {
        ReadingHandler.Taken memory t = town.link(id, at);
        ReadingHandler.Taken memory before; // nothing at all, before the first
        if (at != 0) before = town.link(id, at - 1);
        (bytes24 previous, uint48 sequence, uint16 epoch) = (before.head, before.sequence, before.epoch);
        vm.assertEq(bytes32(t.previous), bytes32(previous), "the chain is broken");
        vm.assertEq(t.sequence, t.reset ? 0 : sequence + 1, "the sequence has a gap");
        vm.assertEq(t.epoch, t.reset ? epoch + 1 : epoch, "the epoch changed by itself");
    }

    function _assertReached(uint256 atLeast) private view {
        uint256 count = 0;
        for (uint256 i = 0; i < 7; ++i) {
            if (town.reached(i) != 0) ++count;
        }
        vm.assertGe(count, atLeast, "paths gone");
    }

    function _actions() private view returns (bytes4[] memory list) {
        list = new bytes4[](6);
        list[0] = town.anchorNext.selector;
        list[1] = town.anchorWrong.selector;
        list[2] = town.reset.selector;
        list[3] = town.equivocate.selector;
        list[4] = town.rotate.selector;
        list[5] = town.revoke.selector;
    }
}
