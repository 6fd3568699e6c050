"""The rules: pure functions over whole numbers, no database, no chain, no clock."""
