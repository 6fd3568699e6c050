"""Keeping a town through trouble: backups, senders behind the chain, and what a machine can be short of."""
