"""What the months to come will use and cost, and what another tariff would have cost.

This package is statistics, so quantities within it may be floats; the rest of billing has none. What leaves it is whole
again: quantities half up to the base unit, money in kopecks by the very rules that charge a bill.
"""
