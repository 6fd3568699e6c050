"""Pages of Kopeck, rendered on the server. Knows the HTTP door only: no database, no key, no chain."""
