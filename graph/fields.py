"""strawberry.field for resolvers, with a type: Strawberry's own is Any, which would leave every resolver unchecked."""

from __future__ import annotations

import strawberry
from strawberry.types.field import StrawberryField


def field(description: str, graphql_type: object = None) -> StrawberryField:
    """Decorates a resolver; ``graphql_type`` is how the schema shows what it returns, where the two differ."""
    made: StrawberryField = strawberry.field(description=description, graphql_type=graphql_type)
    return made
