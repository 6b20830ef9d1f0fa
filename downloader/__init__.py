"""Network to storage. Knows no user, no task and no SQL."""
