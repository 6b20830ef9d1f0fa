"""The GraphQL service side by side with what people would use instead, over the same rows in PostgreSQL."""
