"""The consortium's network on one machine: GoQuorum nodes with QBFT, their links, and the tools around them."""
