// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {IRouble} from "./interfaces/IRouble.sol";
import {Legs} from "./libraries/Legs.sol";
import {SplitTypes} from "./libraries/SplitTypes.sol";
import {Leg, SplitAuthorization} from "./types/Types.sol";

/// @notice See `IRouble`.
/// @dev Not OpenZeppelin's ERC20: a balance and its freeze share one slot, so that a split touches one slot a
/// supplier, and a split debits the payer once.
contract Rouble is IRouble, AccessManaged, EIP712, Nonces {
    using Legs for Leg;

    bytes32 private constant PERMIT_TYPE =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    bytes32 private constant TRANSFER_TYPE = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant RECEIVE_TYPE = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant CANCEL_TYPE = keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");

    /// @dev Top bit of an account's word: frozen. The rest is its balance, which no supply can bring near it.
    uint256 private constant FROZEN = 1 << 255;

    /// @notice Most kopecks there can be: what fits a leg.
    uint256 public constant MAX_SUPPLY = type(uint96).max;

    string public constant name = "Kopeck Rouble";
    string public constant symbol = "KRUB";
    uint8 public constant decimals = 2;

    uint256 public totalSupply;

    mapping(address account => uint256) private _accounts;
    mapping(address owner => mapping(address spender => uint256)) public allowance;
    mapping(address authorizer => mapping(bytes32 nonce => bool)) public authorizationState;
    mapping(address payer => mapping(uint256 word => uint256)) private _splitNonces;
    mapping(bytes32 deposit => bool) public deposited;
    mapping(address account => mapping(bytes32 redemption => bool)) public redeemed;

    // Immutables are written as constants are.
    // slither-disable-start naming-convention
    IRegistry public immutable REGISTRY;
    // slither-disable-end naming-convention

    constructor(address authority, IRegistry registry) AccessManaged(authority) EIP712("Kopeck Rouble", "1") {
        REGISTRY = registry;
    }

    // --- the bank ---

    /// @inheritdoc IRouble
    function mint(address account, uint256 amount, bytes32 deposit) external restricted {
        require(account != address(0), Rouble_ZeroAddress());
        require(deposit != 0, Rouble_NoReference());
        require(!deposited[deposit], Rouble_DepositAlreadyMinted(deposit));
        require(amount <= MAX_SUPPLY - totalSupply, Rouble_SupplyTooLarge(totalSupply));
        deposited[deposit] = true;
        totalSupply += amount;
        _credit(account, amount);
        emit Transfer(address(0), account, amount);
        emit Minted(account, amount, deposit);
    }

    /// @inheritdoc IRouble
    function redeem(uint256 amount, bytes32 redemption) external {
        require(redemption != 0, Rouble_NoReference());
        require(!redeemed[msg.sender][redemption], Rouble_RedemptionRepeated(redemption));
        redeemed[msg.sender][redemption] = true;
        _debit(msg.sender, amount);
        totalSupply -= amount;
        emit Transfer(msg.sender, address(0), amount);
        emit Redeemed(msg.sender, amount, redemption);
    }

    /// @inheritdoc IRouble
    function freeze(address account, bytes32 act) external restricted {
        require(act != 0, Rouble_NoReference());
        _accounts[account] |= FROZEN;
        emit Frozen(account, act);
        REGISTRY.onFreezeChanged();
    }

    /// @inheritdoc IRouble
    function unfreeze(address account, bytes32 act) external restricted {
        require(act != 0, Rouble_NoReference());
        _accounts[account] &= ~FROZEN;
        emit Unfrozen(account, act);
        REGISTRY.onFreezeChanged();
    }

    /// @inheritdoc IRouble
    function seize(address from, address to, uint256 amount, bytes32 act) external restricted {
        require(to != address(0), Rouble_ZeroAddress());
        require(act != 0, Rouble_NoReference());
        uint256 word = _accounts[from];
        require(word & FROZEN != 0, Rouble_AccountNotFrozen(from));
        uint256 balance = word & ~FROZEN;
        require(balance >= amount, Rouble_BalanceTooLow(from, balance, amount));
        _accounts[from] = word - amount;
        _credit(to, amount);
        emit Transfer(from, to, amount);
        emit Seized(from, to, amount, act);
    }

    // --- splits ---

    /// @inheritdoc IRouble
    function splitFrom(address payer, Leg[] calldata legs) external {
        _spendAllowance(payer, msg.sender, _split(payer, legs));
    }

    /// @inheritdoc IRouble
    function splitWithAuthorization(SplitAuthorization calldata authorization, bytes32 purpose, Leg[] calldata legs)
        external
    {
        address payer = authorization.payer;
        // A validator can move this moment by seconds, and gains nothing by it.
        // slither-disable-next-line timestamp
        require(block.timestamp < authorization.validBefore, Rouble_Expired(authorization.validBefore));
        bytes32 digest = splitDigest(authorization, msg.sender, purpose);
        _requireSigned(payer, digest, authorization.signature);
        _useSplitNonce(payer, authorization.nonce);
        uint256 total = _split(payer, legs);
        require(total <= authorization.maximum, Rouble_AboveMaximum(authorization.maximum, total));
    }

    /// @inheritdoc IRouble
    function cancelSplit(uint256 nonce) external {
        _useSplitNonce(msg.sender, nonce);
        emit SplitCancelled(msg.sender, nonce);
    }

    // --- ERC-20, EIP-2612, EIP-3009 ---

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        _spendAllowance(from, msg.sender, amount);
        _move(from, to, amount);
        return true;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        _approve(msg.sender, spender, amount);
        return true;
    }

    function permit(
        address owner,
        address spender,
        uint256 value,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        // A validator can move this moment by seconds, and gains nothing by it.
        // slither-disable-next-line timestamp
        require(block.timestamp <= deadline, Rouble_Expired(deadline));
        bytes32 structHash = keccak256(abi.encode(PERMIT_TYPE, owner, spender, value, _useNonce(owner), deadline));
        address signer = ECDSA.recover(_hashTypedDataV4(structHash), v, r, s);
        require(signer == owner, Rouble_WrongSigner(owner, signer));
        _approve(owner, spender, value);
    }

    /// @inheritdoc IRouble
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        _authorize(TRANSFER_TYPE, from, to, value, validAfter, validBefore, nonce, signature);
        _move(from, to, value);
    }

    /// @inheritdoc IRouble
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        require(msg.sender == to, Rouble_CallerNotPayee(msg.sender, to));
        _authorize(RECEIVE_TYPE, from, to, value, validAfter, validBefore, nonce, signature);
        _move(from, to, value);
    }

    /// @inheritdoc IRouble
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external {
        require(!authorizationState[authorizer][nonce], Rouble_AuthorizationAlreadyUsed(authorizer, nonce));
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(CANCEL_TYPE, authorizer, nonce)));
        _requireSigned(authorizer, digest, signature);
        authorizationState[authorizer][nonce] = true;
        emit AuthorizationCanceled(authorizer, nonce);
    }

    // --- views ---

    function balanceOf(address account) external view returns (uint256) {
        return _accounts[account] & ~FROZEN;
    }

    /// @inheritdoc IRouble
    function isFrozen(address account) external view returns (bool) {
        return _accounts[account] & FROZEN != 0;
    }

    /// @inheritdoc IRouble
    function splitNonceUsed(address payer, uint256 nonce) external view returns (bool) {
        return (_splitNonces[payer][nonce >> 8] >> (nonce & 255)) & 1 == 1;
    }

    function nonces(address owner) public view override(Nonces, IERC20Permit) returns (uint256) {
        return super.nonces(owner);
    }

    // EIP-2612 gives the name.
    // slither-disable-next-line naming-convention
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc IRouble
    function splitDigest(SplitAuthorization calldata authorization, address spender, bytes32 purpose)
        public
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(SplitTypes.structHash(authorization, spender, purpose));
    }

    // --- inside ---

    /// @dev Credits first and debits the sum of what it credited: value can be neither made nor lost.
    function _split(address payer, Leg[] calldata legs) private returns (uint256 total) {
        uint256 held = _accounts[payer]; // before a leg to the payer itself could swell it
        require(held & FROZEN == 0, Rouble_AccountFrozen(payer));
        for (uint256 i = 0; i < legs.length; ++i) {
            address recipient = legs[i].recipientOf();
            uint256 amount = legs[i].amountOf();
            require(recipient != address(0), Rouble_ZeroAddress());
            _credit(recipient, amount);
            emit Transfer(payer, recipient, amount);
            unchecked {
                total += amount; // 96 bits each: a block can't hold 2^160 of them
            }
        }
        require(held >= total, Rouble_BalanceTooLow(payer, held, total));
        unchecked {
            _accounts[payer] -= total; // it holds `held` and what it was credited
        }
    }

    function _move(address from, address to, uint256 amount) private {
        require(to != address(0), Rouble_ZeroAddress());
        _debit(from, amount);
        _credit(to, amount);
        emit Transfer(from, to, amount);
    }

    function _debit(address account, uint256 amount) private {
        uint256 balance = _accounts[account];
        require(balance & FROZEN == 0, Rouble_AccountFrozen(account));
        require(balance >= amount, Rouble_BalanceTooLow(account, balance, amount));
        unchecked {
            _accounts[account] = balance - amount;
        }
    }

    function _credit(address account, uint256 amount) private {
        uint256 balance = _accounts[account];
        require(balance & FROZEN == 0, Rouble_AccountFrozen(account));
        unchecked {
            _accounts[account] = balance + amount; // both within the supply: 96 bits, and a split's 96 more
        }
    }

    function _approve(address owner, address spender, uint256 amount) private {
        require(owner != address(0) && spender != address(0), Rouble_ZeroAddress());
        allowance[owner][spender] = amount;
        emit Approval(owner, spender, amount);
    }

    /// @dev An allowance of the whole range is not counted down.
    function _spendAllowance(address owner, address spender, uint256 amount) private {
        uint256 allowed = allowance[owner][spender];
        if (allowed == type(uint256).max) return;
        require(allowed >= amount, Rouble_AllowanceTooLow(owner, spender, allowed, amount));
        allowance[owner][spender] = allowed - amount;
    }

    function _useSplitNonce(address payer, uint256 nonce) private {
        uint256 word = _splitNonces[payer][nonce >> 8];
        uint256 bit = 1 << (nonce & 255);
        require(word & bit == 0, Rouble_NonceAlreadyUsed(payer, nonce));
        _splitNonces[payer][nonce >> 8] = word | bit;
    }

    function _authorize(
        bytes32 typeHash,
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) private {
        // A validator can move this moment by seconds, and gains nothing by it.
        // slither-disable-next-line timestamp
        require(block.timestamp > validAfter, Rouble_NotYetValid(validAfter));
        require(block.timestamp < validBefore, Rouble_Expired(validBefore));
        require(!authorizationState[from][nonce], Rouble_AuthorizationAlreadyUsed(from, nonce));
        bytes32 structHash = keccak256(abi.encode(typeHash, from, to, value, validAfter, validBefore, nonce));
        _requireSigned(from, _hashTypedDataV4(structHash), signature);
        authorizationState[from][nonce] = true;
        emit AuthorizationUsed(from, nonce);
    }

    function _requireSigned(address expected, bytes32 digest, bytes calldata signature) private pure {
        require(signature.length == 65, Rouble_WrongSigner(expected, address(0)));
        bytes32 r = bytes32(signature);
        bytes32 s = bytes32(signature[32:]);
        address signer = ECDSA.recover(digest, uint8(signature[64]), r, s);
        require(signer == expected, Rouble_WrongSigner(expected, signer));
    }
}
