"""What the service means: entities, rules and use cases. Standard library only."""
