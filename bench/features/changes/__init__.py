"""Changes: two sets of outcomes side by side."""
