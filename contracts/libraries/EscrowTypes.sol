// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title EIP-712 type hashes of the escrow (docs/protocol/typed-data.md)
library EscrowTypes {
    bytes32 internal constant VOUCHER = keccak256("Voucher(address payer,address payee,uint96 cumulativeWei)");
    bytes32 internal constant DEPOSIT =
        keccak256("Deposit(address from,address payer,uint96 reserveWei,uint96 bondWei,uint256 nonce,uint64 deadline)");
    bytes32 internal constant AUTHORIZE_KEY = keccak256(
        "AuthorizeKey(address payer,address key,uint96 capPerPayeeWei,uint96 budgetWei,uint40 expiry,uint256 nonce,uint64 deadline)"
    );
    bytes32 internal constant REVOKE_KEY = keccak256("RevokeKey(address payer,address key,uint256 nonce,uint64 deadline)");
    bytes32 internal constant REQUEST_WITHDRAWAL =
        keccak256("RequestWithdrawal(address payer,uint96 reserveWei,uint96 bondWei,uint256 nonce,uint64 deadline)");
    bytes32 internal constant CANCEL_WITHDRAWAL = keccak256("CancelWithdrawal(address payer,uint256 nonce,uint64 deadline)");
    bytes32 internal constant COMPLETE_WITHDRAWAL =
        keccak256("CompleteWithdrawal(address payer,address to,uint256 nonce,uint64 deadline)");
    bytes32 internal constant WITHDRAW = keccak256("Withdraw(address account,address to,uint256 nonce,uint64 deadline)");
}
