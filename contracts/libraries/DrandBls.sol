// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Signatures of drand's scheme `bls-unchained-g1-rfc9380`, checked with the precompiles of EIP-2537
/// @notice Message: sha256(round as 8 bytes, big endian), hashed to G1 as RFC 9380 (BLS12381G1_XMD:SHA-256_SSWU_RO_) with the tag
/// below. Valid iff e(signature, -G2) x e(H(message), publicKey) = 1. Points are uncompressed, in the layout of EIP-2537: each
/// field element 64 bytes, big endian, 16 leading zero bytes.
library DrandBls {
    uint256 internal constant G1_BYTES = 128;
    uint256 internal constant G2_BYTES = 256;

    /// A failing pairing burns all gas given to it; two pairs cost 102,900.
    uint256 private constant PAIRING_GAS = 120_000;

    bytes private constant DST = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

    /// Base field modulus p, as 16 and 32 bytes.
    uint256 private constant P_HIGH = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 private constant P_LOW = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;
    /// (p - 1) / 2: a compressed point carries a flag when y is above it.
    uint256 private constant HALF_HIGH = 0x0d0088f51cbff34d258dd3db21a5d66b;
    uint256 private constant HALF_LOW = 0xb23ba5c279c2895fb39869507b587b120f55ffff58a9ffffdcff7fffffffd555;

    /// Minus the generator of G2.
    bytes private constant G2_NEGATED =
        hex"00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
        hex"0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        hex"000000000000000000000000000000000d1b3cc2c7027888be51d9ef691d77bcb679afda66c73f17f9ee3837a55024f78c71363275a75d75d86bab79f74782aa"
        hex"0000000000000000000000000000000013fa4d4a0ad8b1ce186ed5061789213d993923066dddaf1040bc3ff59f825c78df74f2d75467e25e0f55f8a00fa030ed";

    /// @notice Whether a point is on G2, in its subgroup, and not infinity.
    function isPublicKey(bytes memory publicKey) internal view returns (bool) {
        if (publicKey.length != G2_BYTES || _isZero(publicKey)) return false;
        // e(infinity, key) = 1 for every valid key; the precompile checks curve and subgroup.
        (bool ok, bytes memory result) = address(0x0f).staticcall(bytes.concat(new bytes(G1_BYTES), publicKey));
        return ok && result.length == 32 && uint256(bytes32(result)) == 1;
    }

    /// @notice Whether `signature` (128 bytes) is the key's over `round`.
    function verify(bytes memory publicKey, uint64 round, bytes calldata signature) internal view returns (bool) {
        // Infinity would pair to one with anything of that kind; it is no signature.
        if (signature.length != G1_BYTES || _isZero(signature)) return false;
        bytes memory input = bytes.concat(signature, G2_NEGATED, _hashToG1(round), publicKey);
        bool valid;
        assembly ("memory-safe") {
            let ok := staticcall(PAIRING_GAS, 0x0f, add(input, 32), mload(input), 0, 32)
            valid := and(and(ok, eq(returndatasize(), 32)), eq(mload(0), 1))
        }
        return valid;
    }

    /// @notice drand's randomness: sha256 of the compressed signature. The point must have been verified.
    function randomness(bytes calldata signature) internal pure returns (bytes32) {
        uint256 xHigh = uint256(bytes32(signature[0:32]));
        bytes32 xLow = bytes32(signature[32:64]);
        uint256 yHigh = uint256(bytes32(signature[64:96]));
        uint256 yLow = uint256(bytes32(signature[96:128]));
        bool yIsLarge = yHigh > HALF_HIGH || (yHigh == HALF_HIGH && yLow > HALF_LOW);
        // Flags of the compressed form: bit 383 compressed, bit 381 large y.
        xHigh |= 1 << 127;
        if (yIsLarge) xHigh |= 1 << 125;
        return sha256(abi.encodePacked(bytes16(uint128(xHigh)), xLow));
    }

    /// hash_to_curve of RFC 9380, section 3, for the message of `round`.
    function _hashToG1(uint64 round) private view returns (bytes memory) {
        bytes32 message = sha256(abi.encodePacked(round));
        // expand_message_xmd to 128 bytes: b0, then four blocks.
        bytes memory tag = bytes.concat(DST, bytes1(uint8(DST.length)));
        bytes32 b0 = sha256(abi.encodePacked(bytes32(0), bytes32(0), message, uint16(128), uint8(0), tag));
        bytes32 b1 = sha256(abi.encodePacked(b0, uint8(1), tag));
        bytes32 b2 = sha256(abi.encodePacked(b0 ^ b1, uint8(2), tag));
        bytes32 b3 = sha256(abi.encodePacked(b0 ^ b2, uint8(3), tag));
        bytes32 b4 = sha256(abi.encodePacked(b0 ^ b3, uint8(4), tag));
        bytes memory first = _mapToG1(_reduce(b1, b2));
        bytes memory second = _mapToG1(_reduce(b3, b4));
        return _call(address(0x0b), bytes.concat(first, second), G1_BYTES);
    }

    /// 64 bytes modulo p, by the precompile for modular powers with exponent 1.
    function _reduce(bytes32 high, bytes32 low) private view returns (bytes memory) {
        bytes memory input =
            abi.encodePacked(uint256(64), uint256(1), uint256(64), high, low, uint8(1), P_HIGH, P_LOW);
        return _call(address(0x05), input, 64);
    }

    function _mapToG1(bytes memory element) private view returns (bytes memory) {
        return _call(address(0x10), element, G1_BYTES);
    }

    /// These precompiles cannot fail on the inputs formed here; if one is missing, nothing may be verified.
    function _call(address precompile, bytes memory input, uint256 length) private view returns (bytes memory) {
        (bool ok, bytes memory result) = precompile.staticcall(input);
        require(ok && result.length == length, PrecompileMissing(precompile));
        return result;
    }

    function _isZero(bytes memory data) private pure returns (bool) {
        return keccak256(data) == keccak256(new bytes(data.length));
    }

    error PrecompileMissing(address precompile);
}
