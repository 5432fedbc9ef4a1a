"""What people and parties touch: the edge, onboarding, the operator's API and CLI, and where all is put together."""
