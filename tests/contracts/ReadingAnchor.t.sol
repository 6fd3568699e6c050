// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IReadingAnchor} from "../../contracts/src/interfaces/IReadingAnchor.sol";
import {BatchHeader, Head, SourceClass} from "../../contracts/src/types/Types.sol";
import {Signing} from "./base/Signing.sol";
import {Town} from "./base/Town.sol";

/// @notice Signed chains of batches: anchored, reset, caught lying, acknowledged, carried over.
contract ReadingAnchorTest is Town {
    bytes32 internal constant REASON = keccak256("a concentrator burned");

    address internal newKey = actor("new key");

    function next() internal view returns (BatchHeader memory h) {
        Head memory head = anchor.headOf(source);
        h.source = source;
        h.epoch = head.epoch;
        h.sequence = head.sequence + 1;
        h.previous = head.hash;
        h.root = keccak256(abi.encode("readings", h.sequence));
        h.count = 10_000;
        h.periodStart = START - 1800;
        h.periodEnd = START;
    }

    function domain() internal view returns (bytes32) {
        return Signing.domain("Kopeck ReadingAnchor", block.chainid, address(anchor));
    }

    function sign(address signer, BatchHeader memory h) internal view returns (bytes memory) {
        return signature(signer, Signing.digest(domain(), Signing.header(h)));
    }

    function relay(BatchHeader memory h) internal {
        bytes memory sig = sign(concentrator, h);
        vm.prank(stranger);
        anchor.anchor(h, sig);
    }

    function expectRefused(BatchHeader memory h, bytes memory reason) internal {
        bytes memory sig = sign(concentrator, h);
        vm.expectRevert(reason);
        anchor.anchor(h, sig);
    }

    function reset(uint16 epoch, bytes24 previous) internal returns (bytes32 structHash) {
        structHash = Signing.epochReset(source, epoch, previous, REASON);
        bytes32 digest = Signing.digest(domain(), structHash);
        anchor.resetEpoch(source, REASON, signature(concentrator, digest), signature(operator, digest));
    }

    // --- anchor: failures ---

    function test_RevertWhen_SequenceHasAGapOrRepeats() public {
        BatchHeader memory first = next();
        relay(first);
        expectRefused(
            first, abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_WrongSequence.selector, source, 2, 1)
        );
        BatchHeader memory third = next();
        third.sequence = 3;
        expectRefused(
            third, abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_WrongSequence.selector, source, 2, 3)
        );
    }

    function test_RevertWhen_FirstSequenceIsNotOne() public {
        BatchHeader memory h = next();
        h.sequence = 0;
        expectRefused(
            h, abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_WrongSequence.selector, source, 1, 0)
        );
    }

    function test_RevertWhen_ChainIsBroken() public {
        BatchHeader memory first = next();
        relay(first);
        BatchHeader memory second = next();
        second.previous = bytes24(keccak256("another"));
        expectRefused(
            second,
            abi.encodeWithSelector(
                IReadingAnchor.ReadingAnchor_BrokenChain.selector,
                source,
                bytes24(Signing.header(first)),
                second.previous
            )
        );
    }

    function test_RevertWhen_EpochIsAnother() public {
        BatchHeader memory h = next();
        h.epoch = 1;
        expectRefused(
            h, abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_WrongEpoch.selector, source, 0, 1)
        );
    }

    function test_RevertWhen_BatchIsEmpty() public {
        BatchHeader memory h = next();
        h.count = 0;
        expectRefused(h, abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_EmptyBatch.selector, source, 1));
    }

    function test_RevertWhen_PeriodIsReversedOrInTheFuture() public {
        BatchHeader memory h = next();
        h.periodStart = START + 1;
        expectRefused(
            h,
            abi.encodeWithSelector(
                IReadingAnchor.ReadingAnchor_PeriodReversed.selector, source, START + 1, START
            )
        );
        h.periodEnd = START + 15 minutes + 1;
        expectRefused(
            h, abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_PeriodInFuture.selector, source, h.periodEnd)
        );
        h.periodEnd = START + 15 minutes;
        relay(h);
    }

    function test_RevertWhen_SourceIsUnknown() public {
        BatchHeader memory h = next();
        h.source = 99;
        expectRefused(h, abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_UnknownSource.selector, 99));
    }

    function test_RevertWhen_SourceIsNotValidYet() public {
        vm.prank(operator);
        registry.rotateSource(source, concentrator, START + 1);
        expectRefused(
            next(),
            abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_SourceNotYetValid.selector, source, START + 1)
        );
        vm.warp(START + 1);
        relay(next());
    }

    function test_RevertWhen_SourceIsRevoked() public {
        vm.prank(guardian);
        registry.revokeSource(source);
        expectRefused(
            next(), abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_SourceRevoked.selector, source, START)
        );
    }

    function test_RevertWhen_AnotherKeySigned() public {
        BatchHeader memory h = next();
        bytes memory sig = sign(stranger, h);
        vm.expectRevert(
            abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_WrongSigner.selector, source, stranger)
        );
        anchor.anchor(h, sig);
    }

    function test_RevertWhen_OldKeySignedAfterARotation() public {
        BatchHeader memory h = next();
        bytes memory sig = sign(concentrator, h);
        vm.prank(operator);
        registry.rotateSource(source, newKey, START);
        vm.expectRevert(
            abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_WrongSigner.selector, source, concentrator)
        );
        anchor.anchor(h, sig);
        anchor.anchor(h, sign(newKey, h));
    }

    function test_RevertWhen_SignedForAnotherChainOrContract() public {
        BatchHeader memory h = next();
        bytes32[2] memory domains = [
            Signing.domain("Kopeck ReadingAnchor", block.chainid + 1, address(anchor)),
            Signing.domain("Kopeck ReadingAnchor", block.chainid, address(registry))
        ];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory sig = signature(concentrator, Signing.digest(domains[i], Signing.header(h)));
            vm.expectPartialRevert(IReadingAnchor.ReadingAnchor_WrongSigner.selector);
            anchor.anchor(h, sig);
        }
    }

    function test_RevertWhen_SignatureIsMalleated() public {
        BatchHeader memory h = next();
        bytes memory sig = highS(sign(concentrator, h));
        vm.expectPartialRevert(ECDSA.ECDSAInvalidSignatureS.selector);
        anchor.anchor(h, sig);
    }

    // --- anchor ---

    function test_ChainGrowsByOne() public {
        BatchHeader memory first = next();
        bytes24 head = bytes24(Signing.header(first));
        vm.expectEmit(address(anchor));
        emit IReadingAnchor.Anchored(source, first.root, 0, 0, 1, head, 10_000, START - 1800, START);
        relay(first);
        vm.assertEq(anchor.headOf(source).hash, head, "head");
        BatchHeader memory second = next();
        vm.assertEq(second.previous, head, "the chain");
        relay(second);
        vm.assertEq(anchor.headOf(source).sequence, 2, "sequence");
        (bytes32 structHash, bytes32 digest) = anchor.hashHeader(second);
        vm.assertEq(structHash, Signing.header(second), "struct hash");
        vm.assertEq(digest, Signing.digest(domain(), structHash), "digest");
    }

    function test_SourcesDoNotShareAChain() public {
        relay(next());
        vm.prank(operator);
        uint32 second = registry.registerSource(newKey, SourceClass.Importer, START);
        vm.assertEq(anchor.headOf(second).sequence, 0, "a chain of its own");
    }

    // --- epochs ---

    function test_RevertWhen_ResetIsSignedByOneOfTheTwo() public {
        bytes32 digest = Signing.digest(domain(), Signing.epochReset(source, 1, 0, REASON));
        bytes memory bySource = signature(concentrator, digest);
        bytes memory byOperator = signature(operator, digest);
        vm.expectRevert(
            abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_NotOperator.selector, concentrator)
        );
        anchor.resetEpoch(source, REASON, bySource, bySource);
        vm.expectRevert(
            abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_WrongSigner.selector, source, operator)
        );
        anchor.resetEpoch(source, REASON, byOperator, byOperator);
    }

    function test_RevertWhen_ResetIsReplayed() public {
        bytes32 digest = Signing.digest(domain(), Signing.epochReset(source, 1, 0, REASON));
        (bytes memory bySource, bytes memory byOperator) =
            (signature(concentrator, digest), signature(operator, digest));
        anchor.resetEpoch(source, REASON, bySource, byOperator);
        vm.expectPartialRevert(IReadingAnchor.ReadingAnchor_WrongSigner.selector);
        anchor.resetEpoch(source, REASON, bySource, byOperator);
    }

    function test_RevertWhen_ResetNamesAnOlderHead() public {
        relay(next());
        bytes32 digest = Signing.digest(domain(), Signing.epochReset(source, 1, 0, REASON));
        (bytes memory bySource, bytes memory byOperator) =
            (signature(concentrator, digest), signature(operator, digest));
        vm.expectPartialRevert(IReadingAnchor.ReadingAnchor_WrongSigner.selector);
        anchor.resetEpoch(source, REASON, bySource, byOperator);
    }

    function test_RevertWhen_RevokedSourceIsReset() public {
        vm.prank(guardian);
        registry.revokeSource(source);
        vm.expectRevert(
            abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_SourceRevoked.selector, source, START)
        );
        anchor.resetEpoch(source, REASON, "", "");
    }

    function test_ResetStartsAnEpochOnTheDeclaredGap() public {
        BatchHeader memory before = next();
        relay(before);
        bytes24 head = anchor.headOf(source).hash;
        bytes32 structHash = reset(1, head);
        Head memory now_ = anchor.headOf(source);
        vm.assertEq(now_.epoch, 1, "epoch");
        vm.assertEq(now_.sequence, 0, "sequence");
        vm.assertEq(now_.hash, bytes24(structHash), "head");
        BatchHeader memory after_ = next();
        vm.assertEq(after_.sequence, 1, "from one again");
        relay(after_);
        expectRefused(
            before, abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_WrongEpoch.selector, source, 1, 0)
        );
    }

    // --- equivocation ---

    function test_RevertWhen_ThereIsNoEquivocation() public {
        BatchHeader memory a = next();
        bytes memory sig = sign(concentrator, a);
        vm.expectRevert(IReadingAnchor.ReadingAnchor_NoEquivocation.selector);
        anchor.reportEquivocation(a, sig, a, sig);
        for (uint256 i = 0; i < 3; ++i) {
            BatchHeader memory b = next();
            if (i == 0) b.sequence = 2;
            if (i == 1) b.epoch = 1;
            if (i == 2) b.source = source + 1;
            bytes memory other = sign(concentrator, b);
            vm.expectRevert(IReadingAnchor.ReadingAnchor_NoEquivocation.selector);
            anchor.reportEquivocation(a, sig, b, other);
        }
    }

    function test_RevertWhen_EvidenceIsForged() public {
        BatchHeader memory a = next();
        BatchHeader memory b = next();
        b.root = keccak256("another");
        (bytes memory good, bytes memory forged) = (sign(concentrator, a), sign(stranger, b));
        vm.expectRevert(
            abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_WrongSigner.selector, source, stranger)
        );
        anchor.reportEquivocation(a, good, b, forged);
        vm.assertFalse(anchor.equivocated(source), "not flagged");
    }

    /// @dev Neither revoking nor rotating the key makes old evidence worthless.
    function test_EquivocationIsFlaggedForEver() public {
        BatchHeader memory a = next();
        BatchHeader memory b = next();
        b.root = keccak256("another");
        (bytes memory first, bytes memory second) = (sign(concentrator, a), sign(concentrator, b));
        vm.prank(operator);
        registry.rotateSource(source, newKey, START);
        vm.prank(operator);
        registry.revokeSource(source);
        vm.expectEmit(address(anchor));
        emit IReadingAnchor.Equivocation(
            source, 0, 1, bytes24(Signing.header(a)), bytes24(Signing.header(b)), stranger
        );
        vm.prank(stranger);
        anchor.reportEquivocation(a, first, b, second);
        vm.assertTrue(anchor.equivocated(source), "flagged");
    }

    /// @dev Flagged, never punished: a restored backup does it honestly.
    function test_FlaggedSourceStillAnchors() public {
        BatchHeader memory a = next();
        BatchHeader memory b = next();
        b.root = keccak256("another");
        anchor.reportEquivocation(a, sign(concentrator, a), b, sign(concentrator, b));
        relay(a);
    }

    // --- holders, older deployments ---

    function test_RevertWhen_AcknowledgedByNoHolder() public {
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, operator));
        vm.prank(operator);
        anchor.acknowledge(new bytes32[](1));
    }

    function test_HoldersAcknowledgeManyRoots() public {
        bytes32[] memory roots = new bytes32[](2);
        (roots[0], roots[1]) = (keccak256("a"), keccak256("b"));
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectEmit(address(anchor));
            emit IReadingAnchor.Acknowledged(roots[i], holder);
        }
        vm.prank(holder);
        anchor.acknowledge(roots);
    }

    function test_RevertWhen_CarriedOverByAnyoneButTheAdmin() public {
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, operator));
        vm.prank(operator);
        anchor.carryOver(new uint32[](0), new Head[](0));
    }

    function test_RevertWhen_CarriedOverALivingHead() public {
        relay(next());
        (uint32[] memory sources, Head[] memory heads) = (new uint32[](1), new Head[](1));
        (sources[0], heads[0]) = (source, Head(5, 0, bytes24(keccak256("old"))));
        vm.expectRevert(abi.encodeWithSelector(IReadingAnchor.ReadingAnchor_HeadExists.selector, source));
        anchor.carryOver(sources, heads);
    }

    function test_CarriedOverChainGoesOn() public {
        (uint32[] memory sources, Head[] memory heads) = (new uint32[](1), new Head[](1));
        (sources[0], heads[0]) = (source, Head(5, 2, bytes24(keccak256("old"))));
        anchor.carryOver(sources, heads);
        BatchHeader memory h = next();
        vm.assertEq(h.sequence, 6, "sequence");
        vm.assertEq(h.epoch, 2, "epoch");
        relay(h);
    }

    // --- fuzz ---

    /// @dev Any header: anchored exactly when sequence, epoch, previous, count and period are right.
    function testFuzz_OnlyTheNextHeaderIsTaken(BatchHeader memory h, uint8 keep) public {
        relay(next());
        BatchHeader memory right = next();
        h.source = source;
        if (keep & 1 != 0) h.epoch = right.epoch;
        if (keep & 2 != 0) h.sequence = right.sequence;
        if (keep & 4 != 0) h.previous = right.previous;
        if (keep & 8 != 0) (h.periodStart, h.periodEnd) = (right.periodStart, right.periodEnd);
        bool good = h.epoch == 0 && h.sequence == 2 && h.previous == right.previous && h.count != 0
            && h.periodStart <= h.periodEnd && h.periodEnd <= START + 15 minutes;
        bytes memory sig = sign(concentrator, h);
        if (!good) vm.expectRevert();
        anchor.anchor(h, sig);
        vm.assertEq(anchor.headOf(source).sequence, good ? 2 : 1, "sequence");
    }

    function testFuzz_RevertWhen_AnyFieldIsAltered(BatchHeader memory altered, bytes32 salt) public {
        BatchHeader memory h = next();
        h.document = salt;
        bytes memory sig = sign(concentrator, h);
        (altered.source, altered.epoch, altered.sequence, altered.previous) =
            (h.source, h.epoch, h.sequence, h.previous);
        altered.periodStart = uint40(bound(altered.periodStart, 0, START));
        altered.periodEnd = START;
        altered.count = uint32(bound(altered.count, 1, type(uint32).max));
        vm.assume(Signing.header(altered) != Signing.header(h));
        vm.expectPartialRevert(IReadingAnchor.ReadingAnchor_WrongSigner.selector);
        anchor.anchor(altered, sig);
    }

    function testFuzz_AnyTwoHeadersOfOneSequenceAreEvidence(BatchHeader memory a, BatchHeader memory b) public {
        (a.source, b.source) = (source, source);
        (b.epoch, b.sequence) = (a.epoch, a.sequence);
        vm.assume(Signing.header(a) != Signing.header(b));
        anchor.reportEquivocation(a, sign(concentrator, a), b, sign(concentrator, b));
        vm.assertTrue(anchor.equivocated(source), "flagged");
    }

    function testFuzz_ResetsCountEpochs(uint8 resets) public {
        resets = uint8(bound(resets, 1, 12));
        for (uint16 epoch = 1; epoch <= resets; ++epoch) {
            reset(epoch, anchor.headOf(source).hash);
            vm.assertEq(anchor.headOf(source).epoch, epoch, "epoch");
        }
    }

    function testFuzz_CarriedOverHeadsReadBack(uint32 id, Head memory head) public {
        (uint32[] memory sources, Head[] memory heads) = (new uint32[](1), new Head[](1));
        (sources[0], heads[0]) = (id, head);
        anchor.carryOver(sources, heads);
        Head memory kept = anchor.headOf(id);
        vm.assertEq(abi.encode(kept), abi.encode(head), "head");
    }

    function testFuzz_HoldersMayAcknowledgeAnything(bytes32[] memory roots, address caller) public {
        vm.assume(caller != holder);
        vm.prank(holder);
        anchor.acknowledge(roots);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, caller));
        vm.prank(caller);
        anchor.acknowledge(roots);
    }

    /// @dev Any source, epoch, head and reason signed: taken when they are the chain's own, and by both.
    function testFuzz_ResetHoldsForItsOwnHeadAlone(uint16 epoch, bytes24 previous, bytes32 reason, uint8 wrong)
        public
    {
        relay(next());
        bool good = wrong % 4 == 0;
        if (wrong % 4 != 1) epoch = 1;
        if (wrong % 4 != 2) previous = anchor.headOf(source).hash;
        good = good || (wrong % 4 == 1 && epoch == 1);
        bytes32 digest = Signing.digest(domain(), Signing.epochReset(source, epoch, previous, reason));
        bytes memory bySource = signature(concentrator, digest);
        bytes memory byOperator = signature(wrong % 4 == 3 ? guardian : operator, digest);
        if (!good) vm.expectRevert();
        anchor.resetEpoch(source, reason, bySource, byOperator);
        vm.assertEq(anchor.headOf(source).epoch, good ? 1 : 0, "epoch");
    }
}
