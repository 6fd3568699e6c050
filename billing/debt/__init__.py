"""What an account owes, since when, and what follows of it: penalties, allocation, instalments, disputes."""
