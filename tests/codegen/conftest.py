"""A running service and an origin that it may fetch from."""

from tests.e2e.conftest import origin, service

__all__ = ["origin", "service"]
