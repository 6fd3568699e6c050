"""Making capsules, and where checkpoints and trust files lie."""
