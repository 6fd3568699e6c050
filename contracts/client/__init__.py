"""Reading and sending: the node, the contracts on it, the files named by roots, and the keys of records."""
