"""The whole way of the data, from a file to a bill."""
