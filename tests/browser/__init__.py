"""The pages as people meet them: in a real Chromium, which is let out to nothing but the service."""
