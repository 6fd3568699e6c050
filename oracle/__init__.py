"""From meters to the chain: signed batches taken in, checked, kept as files and anchored."""
