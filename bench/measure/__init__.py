"""The results of one build."""
