"""The rules of the flow: pure, shared by every program."""
