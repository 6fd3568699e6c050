"""What the chain and the files it names say, as tables that roll back with the chain. `queries` is the read door."""
