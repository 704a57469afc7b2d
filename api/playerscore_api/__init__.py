"""The thin REST API and the store broker."""
