"""A client that ariadne-codegen makes from schema.graphql."""
