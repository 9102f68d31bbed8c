// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title BLS signatures on G1 of BLS12-381, by the EIP-2537 precompiles
/// @notice Hash-to-curve of RFC 9380 (suite BLS12381G1_XMD:SHA-256_SSWU_RO_, signature DST of drand's quicknet) and the pairing
/// check e(signature, -G2) x e(H(message), publicKey) = 1. Field elements are 64 bytes big-endian, a G1 point is x then y, a G2
/// point x.c0, x.c1, y.c0, y.c1: the layout of EIP-2537.
/// @dev The precompiles check field bounds, the curve equation, and (in the pairing) the subgroup. A failing pairing burns all
/// the gas it was given, hence `PAIRING_GAS`.
library Bls12381 {
    uint256 internal constant G1_BYTES = 128;
    uint256 internal constant G2_BYTES = 256;

    /// 37,700 + 2 x 32,600 is the price in EIP-2537; the rest is room for a repricing by 5 %.
    uint256 private constant PAIRING_GAS = 108_000;

    address private constant MODEXP = address(0x05);
    address private constant G1_ADD = address(0x0b);
    address private constant PAIRING = address(0x0f);
    address private constant MAP_FP_TO_G1 = address(0x10);

    /// The field's modulus p, and (p - 1) / 2, each as its upper 16 and lower 32 bytes.
    uint256 private constant P_HIGH = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 private constant P_LOW = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;
    uint256 private constant HALF_HIGH = 0x0d0088f51cbff34d258dd3db21a5d66b;
    uint256 private constant HALF_LOW = 0xb23ba5c279c2895fb39869507b587b120f55ffff58a9ffffdcff7fffffffd555;

    /// DST and its length byte, as every hash of expand_message_xmd ends.
    bytes private constant DST_PRIME = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_+";

    /// The negated generator of G2.
    bytes private constant NEGATED_G2 =
        hex"00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
        hex"0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        hex"000000000000000000000000000000000d1b3cc2c7027888be51d9ef691d77bcb679afda66c73f17f9ee3837a55024f78c71363275a75d75d86bab79f74782aa"
        hex"0000000000000000000000000000000013fa4d4a0ad8b1ce186ed5061789213d993923066dddaf1040bc3ff59f825c78df74f2d75467e25e0f55f8a00fa030ed";

    error PrecompileFailed(address precompile);

    /// @notice Whether `signature` (128 bytes) is `publicKey`'s over `message`. False for a point off the curve, out of the
    /// subgroup, out of the field's range, and for infinity.
    function verify(bytes memory publicKey, bytes memory message, bytes calldata signature) internal view returns (bool) {
        bytes memory input = abi.encodePacked(signature, NEGATED_G2, hashToG1(message), publicKey);
        uint256 valid;
        assembly ("memory-safe") {
            let ok := staticcall(PAIRING_GAS, 0x0f, add(input, 32), mload(input), 0, 32)
            valid := and(and(ok, eq(returndatasize(), 32)), eq(mload(0), 1))
        }
        return valid == 1 && !_isZero(signature);
    }

    /// @notice Whether 256 bytes are a point of G2's subgroup other than infinity.
    function isPublicKey(bytes memory key) internal view returns (bool) {
        if (key.length != G2_BYTES || keccak256(key) == keccak256(new bytes(G2_BYTES))) return false;
        // e(infinity, key) = 1 holds for every valid point; the precompile refuses others.
        (bool ok, bytes memory result) = PAIRING.staticcall{gas: PAIRING_GAS}(abi.encodePacked(new bytes(G1_BYTES), key));
        return ok && result.length == 32 && abi.decode(result, (uint256)) == 1;
    }

    /// @notice RFC 9380 hash_to_curve. @return point 128 bytes
    function hashToG1(bytes memory message) internal view returns (bytes memory point) {
        // expand_message_xmd to 128 bytes: Z_pad (one SHA-256 block) ‖ message ‖ I2OSP(128, 2) ‖ I2OSP(0, 1) ‖ DST'
        bytes32 b0 = sha256(abi.encodePacked(bytes32(0), bytes32(0), message, uint16(128), uint8(0), DST_PRIME));
        bytes32 b1 = sha256(abi.encodePacked(b0, uint8(1), DST_PRIME));
        bytes32 b2 = sha256(abi.encodePacked(b0 ^ b1, uint8(2), DST_PRIME));
        bytes32 b3 = sha256(abi.encodePacked(b0 ^ b2, uint8(3), DST_PRIME));
        bytes32 b4 = sha256(abi.encodePacked(b0 ^ b3, uint8(4), DST_PRIME));
        // The map clears the cofactor, so the sum of both is in the subgroup.
        point = _call(G1_ADD, abi.encodePacked(_mapToG1(b1, b2), _mapToG1(b3, b4)), G1_BYTES);
    }

    /// @notice The 48-byte ZCash encoding of a valid G1 point other than infinity.
    function compress(bytes calldata point) internal pure returns (bytes memory) {
        uint256 xHigh = uint256(bytes32(point[0:32]));
        uint256 yHigh = uint256(bytes32(point[64:96]));
        uint256 yLow = uint256(bytes32(point[96:128]));
        bool larger = yHigh > HALF_HIGH || (yHigh == HALF_HIGH && yLow > HALF_LOW);
        // Bit 7 of the first byte: compressed; bit 5: y is the larger root.
        uint256 flags = (1 << 127) | (larger ? 1 << 125 : 0);
        return abi.encodePacked(uint128(xHigh | flags), point[32:64]);
    }

    /// 64 uniform bytes, reduced modulo p, mapped to the curve.
    function _mapToG1(bytes32 high, bytes32 low) private view returns (bytes memory) {
        bytes memory element = _call(
            MODEXP, abi.encodePacked(uint256(64), uint256(1), uint256(64), high, low, uint8(1), P_HIGH, P_LOW), 64
        );
        return _call(MAP_FP_TO_G1, element, G1_BYTES);
    }

    function _call(address precompile, bytes memory input, uint256 outputBytes) private view returns (bytes memory output) {
        bool ok;
        (ok, output) = precompile.staticcall(input);
        if (!ok || output.length != outputBytes) revert PrecompileFailed(precompile);
    }

    function _isZero(bytes calldata point) private pure returns (bool) {
        return bytes32(point[0:32]) | bytes32(point[32:64]) | bytes32(point[64:96]) | bytes32(point[96:128]) == 0;
    }
}
