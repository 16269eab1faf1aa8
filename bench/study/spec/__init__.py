"""The definition of a study: experiments in TOML and comparisons, as structs."""
