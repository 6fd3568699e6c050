"""The command line, deployment, the demo town and the benches: the layer that may import anything."""
