// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IRouble} from "../../contracts/src/interfaces/IRouble.sol";
import {Leg, SplitAuthorization} from "../../contracts/src/types/Types.sol";
import {Signing} from "./base/Signing.sol";
import {Town} from "./base/Town.sol";

/// @notice The settlement token: who may mint, move, freeze and seize.
contract RoubleTest is Town {
    bytes32 internal constant ACT = keccak256("act");
    bytes32 internal constant NONCE = keccak256("nonce");
    bytes32 internal constant PURPOSE = keccak256("a purpose");

    address internal spender = actor("spender");
    address internal payee = actor("payee");

    function setUp() public override {
        super.setUp();
        vm.prank(bank);
        rouble.mint(payer, 1000, keccak256("deposit"));
    }

    function leg(address to, uint96 amount) internal pure returns (Leg) {
        return Leg.wrap(uint256(uint160(to)) * 2 ** 96 + amount);
    }

    function legs(Leg a) internal pure returns (Leg[] memory list) {
        list = new Leg[](1);
        list[0] = a;
    }

    function legs(Leg a, Leg b) internal pure returns (Leg[] memory list) {
        list = new Leg[](2);
        (list[0], list[1]) = (a, b);
    }

    function domain() internal view returns (bytes32) {
        return Signing.domain("Kopeck Rouble", block.chainid, address(rouble));
    }

    function split(uint256 maximum, uint256 nonce, uint256 validBefore)
        internal
        view
        returns (SplitAuthorization memory auth)
    {
        auth = SplitAuthorization(payer, maximum, nonce, validBefore, "");
        auth.signature = signature(payer, Signing.digest(domain(), Signing.split(auth, spender, PURPOSE)));
    }

    function signed(string memory kind, uint256 value, uint256 after_, uint256 before)
        internal
        view
        returns (bytes memory)
    {
        bytes32 hash = Signing.authorization(kind, payer, payee, value, after_, before, NONCE);
        return signature(payer, Signing.digest(domain(), hash));
    }

    function freeze(address account) internal {
        vm.prank(bank);
        rouble.freeze(account, ACT);
    }

    // --- the bank ---

    function test_RevertWhen_CallerIsNotTheBank() public {
        bytes memory reason = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, operator);
        vm.startPrank(operator);
        vm.expectRevert(reason);
        rouble.mint(operator, 1, ACT);
        vm.expectRevert(reason);
        rouble.freeze(payer, ACT);
        vm.expectRevert(reason);
        rouble.unfreeze(payer, ACT);
        vm.expectRevert(reason);
        rouble.seize(payer, operator, 1, ACT);
    }

    function test_RevertWhen_DepositIsMintedTwice() public {
        vm.expectRevert(
            abi.encodeWithSelector(IRouble.Rouble_DepositAlreadyMinted.selector, keccak256("deposit"))
        );
        vm.prank(bank);
        rouble.mint(stranger, 1, keccak256("deposit"));
    }

    function test_RevertWhen_ReferenceIsMissing() public {
        vm.startPrank(bank);
        bytes4 missing = IRouble.Rouble_NoReference.selector;
        vm.expectRevert(missing);
        rouble.mint(payer, 1, 0);
        vm.expectRevert(missing);
        rouble.redeem(0, 0);
        vm.expectRevert(missing);
        rouble.freeze(payer, 0);
        vm.expectRevert(missing);
        rouble.unfreeze(payer, 0);
        vm.expectRevert(missing);
        rouble.seize(payer, bank, 1, 0);
    }

    function test_RevertWhen_MintedToNobodyOrAboveTheSupply() public {
        vm.startPrank(bank);
        vm.expectRevert(IRouble.Rouble_ZeroAddress.selector);
        rouble.mint(address(0), 1, ACT);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_SupplyTooLarge.selector, 1000));
        rouble.mint(payer, uint256(type(uint96).max) - 999, ACT);
        rouble.mint(payer, uint256(type(uint96).max) - 1000, ACT);
    }

    function test_RevertWhen_RedeemedTwiceOrTooMuch() public {
        vm.startPrank(payer);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_BalanceTooLow.selector, payer, 1000, 1001));
        rouble.redeem(1001, ACT);
        rouble.redeem(400, ACT);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_RedemptionRepeated.selector, ACT));
        rouble.redeem(400, ACT);
        vm.assertEq(rouble.totalSupply(), 600, "supply");
    }

    /// @dev References of redemptions belong to their owner: who sees one can't burn it.
    function test_StrangerCannotBurnARedemptionReference() public {
        vm.prank(stranger);
        rouble.redeem(0, ACT);
        vm.prank(payer);
        rouble.redeem(400, ACT);
        vm.assertEq(rouble.balanceOf(payer), 600, "redeemed");
    }

    function test_RevertWhen_SeizedFromAnUnfrozenAccount() public {
        vm.startPrank(bank);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_AccountNotFrozen.selector, payer));
        rouble.seize(payer, bank, 1, ACT);
        rouble.freeze(payer, ACT);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_BalanceTooLow.selector, payer, 1000, 1001));
        rouble.seize(payer, bank, 1001, ACT);
        vm.expectRevert(IRouble.Rouble_ZeroAddress.selector);
        rouble.seize(payer, address(0), 1, ACT);
        vm.expectEmit(address(rouble));
        emit IRouble.Seized(payer, bank, 1, ACT);
        rouble.seize(payer, bank, 1, ACT);
        vm.assertTrue(rouble.isFrozen(payer), "still frozen");
    }

    function test_RevertWhen_FrozenAccountSendsOrReceives() public {
        freeze(payer);
        bytes memory reason = abi.encodeWithSelector(IRouble.Rouble_AccountFrozen.selector, payer);
        vm.startPrank(payer);
        vm.expectRevert(reason);
        rouble.transfer(payee, 1);
        vm.expectRevert(reason);
        rouble.redeem(1, ACT);
        vm.expectRevert(reason);
        rouble.splitFrom(payer, legs(leg(payee, 1)));
        vm.stopPrank();
        vm.expectRevert(reason);
        vm.prank(bank);
        rouble.mint(payer, 1, keccak256("another"));
        vm.assertEq(rouble.balanceOf(payer), 1000, "the bit is not in the balance");
        vm.prank(bank);
        rouble.unfreeze(payer, ACT);
        vm.prank(payer);
        rouble.transfer(payee, 1);
    }

    // --- ERC-20 ---

    function test_RevertWhen_TransferIsAboveBalanceOrAllowance() public {
        vm.startPrank(payer);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_BalanceTooLow.selector, payer, 1000, 1001));
        rouble.transfer(payee, 1001);
        vm.expectRevert(IRouble.Rouble_ZeroAddress.selector);
        rouble.transfer(address(0), 1);
        vm.expectRevert(IRouble.Rouble_ZeroAddress.selector);
        rouble.approve(address(0), 1);
        rouble.approve(spender, 10);
        vm.stopPrank();
        vm.expectRevert(
            abi.encodeWithSelector(IRouble.Rouble_AllowanceTooLow.selector, payer, spender, 10, 11)
        );
        vm.prank(spender);
        rouble.transferFrom(payer, payee, 11);
    }

    function testFuzz_TransferMovesExactly(address to, uint256 amount) public {
        vm.assume(to != address(0) && to != payer);
        amount = bound(amount, 0, 1000);
        uint256 before = rouble.balanceOf(to);
        vm.expectEmit(address(rouble));
        emit IERC20.Transfer(payer, to, amount);
        vm.prank(payer);
        rouble.transfer(to, amount);
        vm.assertEq(rouble.balanceOf(to), before + amount, "to");
        vm.assertEq(rouble.balanceOf(payer), 1000 - amount, "from");
    }

    function testFuzz_TransferToOneselfChangesNothing(uint256 amount) public {
        vm.prank(payer);
        if (amount > 1000) vm.expectPartialRevert(IRouble.Rouble_BalanceTooLow.selector);
        rouble.transfer(payer, amount);
        vm.assertEq(rouble.balanceOf(payer), 1000, "the same");
    }

    function testFuzz_AllowanceIsCountedDown(uint256 allowed, uint256 amount) public {
        vm.prank(payer);
        rouble.approve(spender, allowed);
        vm.prank(spender);
        if (amount > allowed || amount > 1000) {
            vm.expectRevert();
            rouble.transferFrom(payer, payee, amount);
            return;
        }
        rouble.transferFrom(payer, payee, amount);
        uint256 left = allowed == type(uint256).max ? allowed : allowed - amount;
        vm.assertEq(rouble.allowance(payer, spender), left, "allowance");
    }

    function testFuzz_MintAndRedeem(address to, uint256 amount, uint256 back, bytes32 ref) public {
        vm.assume(to != address(0) && to != payer && ref != 0 && ref != keccak256("deposit"));
        amount = bound(amount, 0, uint256(type(uint96).max) - 1000);
        vm.prank(bank);
        rouble.mint(to, amount, ref);
        vm.assertEq(rouble.balanceOf(to), amount, "minted");
        vm.prank(to);
        if (back > amount) vm.expectPartialRevert(IRouble.Rouble_BalanceTooLow.selector);
        rouble.redeem(back, ref);
        vm.assertEq(rouble.totalSupply(), 1000 + amount - (back > amount ? 0 : back), "supply");
    }

    function testFuzz_FreezeAndSeize(address account, uint96 amount, uint96 seized) public {
        vm.assume(account != address(0) && account != payer && account != bank);
        amount = uint96(bound(amount, 0, type(uint96).max - 1000));
        seized = uint96(bound(seized, 0, amount));
        vm.startPrank(bank);
        rouble.mint(account, amount, ACT);
        rouble.freeze(account, ACT);
        rouble.seize(account, bank, seized, ACT);
        vm.assertEq(rouble.balanceOf(account), amount - seized, "account");
        vm.assertEq(rouble.balanceOf(bank), seized, "bank");
        rouble.unfreeze(account, ACT);
        vm.assertFalse(rouble.isFrozen(account), "thawed");
    }

    // --- splits ---

    function test_RevertWhen_SplitWithoutAllowance() public {
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_AllowanceTooLow.selector, payer, stranger, 0, 5));
        vm.prank(stranger);
        rouble.splitFrom(payer, legs(leg(payee, 2), leg(stranger, 3)));
    }

    function test_RevertWhen_SplitNamesNobody() public {
        vm.startPrank(payer);
        rouble.approve(payer, 1000);
        vm.expectRevert(IRouble.Rouble_ZeroAddress.selector);
        rouble.splitFrom(payer, legs(leg(payee, 1), leg(address(0), 1)));
    }

    /// @dev Sums near the top of a leg, to oneself: what is credited first must not cover what is debited after.
    function test_RevertWhen_SplitIsAboveTheBalance() public {
        vm.startPrank(payer);
        rouble.approve(payer, type(uint256).max);
        vm.expectPartialRevert(IRouble.Rouble_BalanceTooLow.selector);
        rouble.splitFrom(payer, legs(leg(payee, 600), leg(stranger, 401)));
        vm.expectPartialRevert(IRouble.Rouble_BalanceTooLow.selector);
        rouble.splitFrom(payer, legs(leg(payee, type(uint96).max), leg(stranger, type(uint96).max)));
        vm.expectPartialRevert(IRouble.Rouble_BalanceTooLow.selector);
        rouble.splitFrom(payer, legs(leg(payer, type(uint96).max), leg(stranger, 1001)));
    }

    /// @dev Legs to the payer itself among them.
    function testFuzz_SplitConservesEveryKopeck(uint96[4] memory amounts, uint8[4] memory to) public {
        address[4] memory accounts = [payer, payee, stranger, spender];
        uint256 total = 0;
        Leg[] memory list = new Leg[](4);
        for (uint256 i = 0; i < 4; ++i) {
            amounts[i] = uint96(bound(amounts[i], 0, 400));
            list[i] = leg(accounts[to[i] % 4], amounts[i]);
            total += amounts[i];
        }
        vm.prank(payer);
        rouble.approve(spender, 1200);
        vm.prank(spender);
        try rouble.splitFrom(payer, list) {
            uint256[4] memory expected = [1000 - total, 0, 0, 0];
            for (uint256 i = 0; i < 4; ++i) {
                expected[to[i] % 4] += amounts[i];
            }
            for (uint256 i = 0; i < 4; ++i) {
                vm.assertEq(rouble.balanceOf(accounts[i]), expected[i], "balance");
            }
            vm.assertEq(rouble.allowance(payer, spender), 1200 - total, "allowance");
        } catch {
            vm.assertTrue(total > 1000, "a good split was refused");
            vm.assertEq(rouble.balanceOf(payer), 1000, "nothing moved");
        }
    }

    function test_RevertWhen_SplitAuthorizationIsUsedAgainOrLate() public {
        SplitAuthorization memory auth = split(100, 3, START + 1);
        vm.startPrank(spender);
        rouble.splitWithAuthorization(auth, PURPOSE, legs(leg(payee, 10)));
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_NonceAlreadyUsed.selector, payer, 3));
        rouble.splitWithAuthorization(auth, PURPOSE, legs(leg(payee, 10)));
        auth = split(100, 4, START + 1);
        vm.warp(START + 1);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_Expired.selector, START + 1));
        rouble.splitWithAuthorization(auth, PURPOSE, legs(leg(payee, 10)));
    }

    function test_RevertWhen_SplitAuthorizationIsExceededOrMisused() public {
        SplitAuthorization memory auth = split(100, 3, START + 1);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_AboveMaximum.selector, 100, 101));
        vm.prank(spender);
        rouble.splitWithAuthorization(auth, PURPOSE, legs(leg(payee, 60), leg(stranger, 41)));
        vm.expectPartialRevert(IRouble.Rouble_WrongSigner.selector);
        vm.prank(stranger);
        rouble.splitWithAuthorization(auth, PURPOSE, legs(leg(stranger, 1)));
        vm.expectPartialRevert(IRouble.Rouble_WrongSigner.selector);
        vm.prank(spender);
        rouble.splitWithAuthorization(auth, keccak256("another"), legs(leg(payee, 1)));
        auth.signature = highS(auth.signature);
        vm.expectPartialRevert(ECDSA.ECDSAInvalidSignatureS.selector);
        vm.prank(spender);
        rouble.splitWithAuthorization(auth, PURPOSE, legs(leg(payee, 1)));
    }

    function testFuzz_SplitAuthorizationIsForOneUseByOneSpender(uint256 maximum, uint256 nonce, uint96 amount)
        public
    {
        amount = uint96(bound(amount, 0, 1500));
        SplitAuthorization memory auth = split(maximum, nonce, type(uint256).max);
        vm.prank(spender);
        if (amount > maximum || amount > 1000) {
            vm.expectRevert();
            rouble.splitWithAuthorization(auth, PURPOSE, legs(leg(payee, amount)));
            vm.assertFalse(rouble.splitNonceUsed(payer, nonce), "not used");
            return;
        }
        rouble.splitWithAuthorization(auth, PURPOSE, legs(leg(payee, amount)));
        vm.assertTrue(rouble.splitNonceUsed(payer, nonce), "used");
        vm.assertFalse(rouble.splitNonceUsed(payer, nonce ^ 1), "its neighbour");
        vm.assertFalse(rouble.splitNonceUsed(payer, nonce ^ 256), "the word beside it");
        vm.assertFalse(rouble.splitNonceUsed(payee, nonce), "another payer's");
    }

    function testFuzz_CancelledNonceIsUsed(uint256 nonce) public {
        vm.expectEmit(address(rouble));
        emit IRouble.SplitCancelled(payer, nonce);
        vm.prank(payer);
        rouble.cancelSplit(nonce);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_NonceAlreadyUsed.selector, payer, nonce));
        vm.prank(payer);
        rouble.cancelSplit(nonce);
    }

    // --- EIP-2612 ---

    function permitted(uint256 value, uint256 nonce, uint256 deadline)
        internal
        view
        returns (uint8 v, bytes32 r, bytes32 s)
    {
        bytes memory sig =
            signature(payer, Signing.digest(domain(), Signing.permit(payer, spender, value, nonce, deadline)));
        (r, s) = abi.decode(sig, (bytes32, bytes32));
        v = uint8(sig[64]);
    }

    function test_RevertWhen_PermitIsReplayedOrLate() public {
        (uint8 v, bytes32 r, bytes32 s) = permitted(50, 0, START);
        vm.warp(START + 1);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_Expired.selector, START));
        rouble.permit(payer, spender, 50, START, v, r, s);
        vm.warp(START);
        rouble.permit(payer, spender, 50, START, v, r, s);
        vm.assertEq(rouble.nonces(payer), 1, "nonce");
        vm.expectPartialRevert(IRouble.Rouble_WrongSigner.selector);
        rouble.permit(payer, spender, 50, START, v, r, s);
    }

    function testFuzz_PermitGivesExactlyWhatWasSigned(uint256 value, uint256 other) public {
        (uint8 v, bytes32 r, bytes32 s) = permitted(value, 0, type(uint256).max);
        if (other != value) {
            vm.expectPartialRevert(IRouble.Rouble_WrongSigner.selector);
            rouble.permit(payer, spender, other, type(uint256).max, v, r, s);
        }
        rouble.permit(payer, spender, value, type(uint256).max, v, r, s);
        vm.assertEq(rouble.allowance(payer, spender), value, "allowance");
        vm.assertEq(rouble.DOMAIN_SEPARATOR(), domain(), "domain");
    }

    // --- EIP-3009 ---

    function test_RevertWhen_AuthorizationIsTakenBySomebodyElse() public {
        bytes memory sig = signed("ReceiveWithAuthorization", 5, 0, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_CallerNotPayee.selector, stranger, payee));
        vm.prank(stranger);
        rouble.receiveWithAuthorization(payer, payee, 5, 0, type(uint256).max, NONCE, sig);
        // A receive signature is no transfer signature.
        vm.expectPartialRevert(IRouble.Rouble_WrongSigner.selector);
        rouble.transferWithAuthorization(payer, payee, 5, 0, type(uint256).max, NONCE, sig);
        vm.prank(payee);
        rouble.receiveWithAuthorization(payer, payee, 5, 0, type(uint256).max, NONCE, sig);
        vm.assertEq(rouble.balanceOf(payee), 5, "payee");
    }

    function test_RevertWhen_AuthorizationIsCancelledOrUsed() public {
        bytes memory cancel = signature(payer, Signing.digest(domain(), Signing.cancellation(payer, NONCE)));
        bytes memory forged = signature(stranger, Signing.digest(domain(), Signing.cancellation(payer, NONCE)));
        vm.expectPartialRevert(IRouble.Rouble_WrongSigner.selector);
        rouble.cancelAuthorization(payer, NONCE, forged);
        rouble.cancelAuthorization(payer, NONCE, cancel);
        bytes memory used =
            abi.encodeWithSelector(IRouble.Rouble_AuthorizationAlreadyUsed.selector, payer, NONCE);
        bytes memory sig = signed("TransferWithAuthorization", 5, 0, type(uint256).max);
        vm.expectRevert(used);
        rouble.transferWithAuthorization(payer, payee, 5, 0, type(uint256).max, NONCE, sig);
        vm.expectRevert(used);
        rouble.cancelAuthorization(payer, NONCE, cancel);
    }

    function testFuzz_AuthorizationHoldsInItsTimeAndOnce(uint40 after_, uint40 before, uint96 value, bool receive_)
        public
    {
        value = uint96(bound(value, 0, 1000));
        string memory kind = receive_ ? "ReceiveWithAuthorization" : "TransferWithAuthorization";
        bytes memory sig = signed(kind, value, after_, before);
        bool inTime = START > after_ && START < before;
        for (uint256 i = 0; i < 2; ++i) {
            if (!inTime || i == 1) vm.expectRevert();
            vm.prank(payee);
            if (receive_) rouble.receiveWithAuthorization(payer, payee, value, after_, before, NONCE, sig);
            else rouble.transferWithAuthorization(payer, payee, value, after_, before, NONCE, sig);
        }
        vm.assertEq(rouble.balanceOf(payee), inTime ? value : 0, "payee");
        vm.assertTrue(rouble.authorizationState(payer, NONCE) == inTime, "nonce");
    }

    function testFuzz_CancellationIsTheAuthorizersOwn(bytes32 nonce, bool forged) public {
        bytes32 digest = Signing.digest(domain(), Signing.cancellation(payer, nonce));
        bytes memory sig = signature(forged ? stranger : payer, digest);
        if (forged) vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_WrongSigner.selector, payer, stranger));
        rouble.cancelAuthorization(payer, nonce, sig);
        vm.assertTrue(rouble.authorizationState(payer, nonce) == !forged, "cancelled");
    }
}
