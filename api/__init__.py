"""HTTP door of Kopeck: people, sessions, bills and payments as JSON under /v1. Keeps no money and no readings."""
