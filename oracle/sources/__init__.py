"""Readers of meter data, one file per format: what comes in as bytes leaves as records of contracts.wire.leaf."""
