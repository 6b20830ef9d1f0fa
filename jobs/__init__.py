"""Who runs a task's job, and when."""
