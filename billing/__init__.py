"""Billing: accounts, tariffs, usage, charges, runs, corrections, grants, and the collector that sends."""
