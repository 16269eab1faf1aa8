"""Statistics of builds and queries: plain arrays in, named results out; nothing of the harness is imported."""
