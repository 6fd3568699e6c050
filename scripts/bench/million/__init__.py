"""A generated town of a million bills on a real chain, with the bundle that it publishes: what an audit is timed on."""
