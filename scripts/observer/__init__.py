"""The read-only kit: a node without a voice, a gateway that lets nobody write, and an audit on a clock."""
