"""The meaning of results: estimates, verdicts and advice."""
