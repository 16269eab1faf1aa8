"""What results mean."""
