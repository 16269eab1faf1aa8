"""Many builds."""
