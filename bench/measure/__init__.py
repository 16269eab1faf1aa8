"""What came out of one build."""
