// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {Leg, SplitAuthorization} from "../types/Types.sol";

/// @title The settlement token: a tokenised bank deposit
/// @notice Two decimals: one unit is one kopeck. A payer is debited only under that payer's allowance or under
/// a signature verified here; no contract has a right to move balances. Only the bank mints, against a deposit
/// reference, and freezes or seizes, under the reference of an act.
/// @notice Assumptions. The bank holds a rouble for every token. A frozen account neither sends nor receives.
interface IRouble is IERC20, IERC20Metadata, IERC20Permit {
    /// @notice The bank minted against a deposit.
    event Minted(address indexed account, uint256 amount, bytes32 indexed deposit);
    /// @notice An account burned its own tokens; the bank owes it the money under this reference.
    event Redeemed(address indexed account, uint256 amount, bytes32 indexed redemption);
    /// @notice The bank froze an account under an act.
    event Frozen(address indexed account, bytes32 indexed act);
    /// @notice The bank lifted a freeze under an act.
    event Unfrozen(address indexed account, bytes32 indexed act);
    /// @notice The bank moved a frozen account's money under an act.
    event Seized(address indexed from, address indexed to, uint256 amount, bytes32 indexed act);
    /// @notice EIP-3009: an authorization was used.
    event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);
    /// @notice EIP-3009: an authorization was voided by its signer.
    event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce);
    /// @notice A payer voided one of its own split nonces.
    event SplitCancelled(address indexed payer, uint256 indexed nonce);

    error Rouble_ZeroAddress();
    error Rouble_NoReference();
    error Rouble_DepositAlreadyMinted(bytes32 deposit);
    error Rouble_RedemptionRepeated(bytes32 redemption);
    error Rouble_SupplyTooLarge(uint256 supply);
    error Rouble_AccountFrozen(address account);
    error Rouble_AccountNotFrozen(address account);
    error Rouble_BalanceTooLow(address account, uint256 balance, uint256 needed);
    error Rouble_AllowanceTooLow(address owner, address spender, uint256 allowance, uint256 needed);
    error Rouble_Expired(uint256 deadline);
    error Rouble_NotYetValid(uint256 validAfter);
    error Rouble_WrongSigner(address expected, address recovered);
    error Rouble_AuthorizationAlreadyUsed(address authorizer, bytes32 nonce);
    error Rouble_CallerNotPayee(address caller, address payee);
    error Rouble_NonceAlreadyUsed(address payer, uint256 nonce);
    error Rouble_AboveMaximum(uint256 maximum, uint256 total);

    /// @notice Mints against a bank deposit, once for each reference. Bank only.
    function mint(address account, uint256 amount, bytes32 deposit) external;

    /// @notice Burns the caller's tokens for a payout in money by the bank, once for each reference of the
    /// caller's own.
    function redeem(uint256 amount, bytes32 redemption) external;

    /// @notice Freezes an account. Bank only, under an act. The Registry is told, so that from this transaction on a
    /// supplier's leg is skipped.
    function freeze(address account, bytes32 act) external;

    /// @notice Lifts a freeze. Bank only, under an act.
    function unfreeze(address account, bytes32 act) external;

    /// @notice Moves a frozen account's money under an act. Bank only.
    function seize(address from, address to, uint256 amount, bytes32 act) external;

    /// @notice Debits the payer once and credits every leg, under the payer's allowance to the caller.
    function splitFrom(address payer, Leg[] calldata legs) external;

    /// @notice The same under the payer's signature, which names the caller as the spender and is used up; the caller's
    /// receipt carries the digest.
    /// @param purpose EIP-712 struct hash of what the payer agreed to; the caller vouches for having met it.
    function splitWithAuthorization(SplitAuthorization calldata authorization, bytes32 purpose, Leg[] calldata legs)
        external;

    /// @notice Uses up one of the caller's own split nonces, so that an order out there is void.
    function cancelSplit(uint256 nonce) external;

    /// @notice EIP-3009, for the payee alone.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice EIP-3009, relayed by anyone.
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice EIP-3009: voids an authorization not used yet.
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external;

    /// @notice EIP-3009: whether an authorization was used or voided.
    function authorizationState(address authorizer, bytes32 nonce) external view returns (bool);

    /// @notice Whether an account is frozen: it neither sends nor receives.
    function isFrozen(address account) external view returns (bool);

    /// @notice Whether a payer's split nonce was used or voided.
    function splitNonceUsed(address payer, uint256 nonce) external view returns (bool);

    /// @notice The EIP-712 digest that a payer signs for a split.
    function splitDigest(SplitAuthorization calldata authorization, address spender, bytes32 purpose)
        external
        view
        returns (bytes32);
}
