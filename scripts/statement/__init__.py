"""A supplier's statement as a file that proves itself, and its check against a node of the supplier's own."""
