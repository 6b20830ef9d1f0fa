"""The service through its HTTP edges."""
