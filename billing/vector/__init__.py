"""The engine of a city: the same bills as the rules give one by one, by columns, a house's accounts together."""
