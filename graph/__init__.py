"""The GraphQL edge: schema, resolvers, limits and the rendering of errors. Holds no rule."""
