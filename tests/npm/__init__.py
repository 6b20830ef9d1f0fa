"""The service as clients see it that others wrote, in JavaScript."""
