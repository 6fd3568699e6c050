"""Benefits and subsidies: who is owed what help, how it is worked out, paid, and taken back."""
