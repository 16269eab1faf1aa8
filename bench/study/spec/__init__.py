"""What a study asks for: experiments in TOML and comparisons, as structs."""
