"""The audit: a town's whole history checked from a node and the published bundle alone.

No database of ours is read, and nothing of the ledger's or the engine's code decides what is right: the pages that
decide are docs/protocol.md and the design's invariants. What differs is told as findings, the earliest first.
"""
