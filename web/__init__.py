"""The HTTP that is not GraphQL: authentication, the documented paths, playback and health."""
