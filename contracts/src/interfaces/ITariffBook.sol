// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Tariff and norm versions, append-only
/// @notice Assumptions. The document named by a hash is published for anyone; a version once published is never
/// changed, a mistake is mended by a later version and by corrections.
interface ITariffBook {
    /// @notice A version was published.
    event TariffPublished(
        uint32 indexed version,
        bytes32 indexed document,
        bytes32 act,
        uint40 effectiveFrom,
        uint40 effectiveTo,
        address publisher
    );

    error TariffBook_EmptyDocument();
    error TariffBook_DatesReversed(uint40 effectiveFrom, uint40 effectiveTo);

    /// @notice Publishes a version. Operator only.
    /// @param document keccak-256 of the canonical document.
    /// @param act keccak-256 of the reference of the act behind it, in UTF-8.
    /// @param effectiveTo First second it is no longer in force; 0 for open-ended.
    function publish(bytes32 document, bytes32 act, uint40 effectiveFrom, uint40 effectiveTo)
        external
        // A parameter without a body shadows nothing.
        // slither-disable-next-line shadowing-local
        returns (uint32 version);

    /// @notice Number of versions published so far: the version of the book.
    function version() external view returns (uint32);

    /// @notice Hash of a version's document, zero when there is none.
    // A parameter without a body shadows nothing.
    // slither-disable-next-line shadowing-local
    function documentOf(uint32 version) external view returns (bytes32);
}
