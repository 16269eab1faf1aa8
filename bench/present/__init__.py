"""Output for people: tables, notes, charts and pages."""
