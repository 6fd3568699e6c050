"""The ``kopeck`` command, one file a group."""
