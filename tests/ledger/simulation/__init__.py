"""The ledger on one seed: a simulated town and its nodes, with every fault that a node, a chain, a database or a kill
can bring. See docs/simulation.md.
"""
