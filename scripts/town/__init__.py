"""The demo town: a seeded plan of houses, flats and people's habits, and the script that plays it."""
