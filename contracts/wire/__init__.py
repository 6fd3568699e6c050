"""The bytes that two parties must agree on: pure functions, no input or output, nothing of ours imported."""
