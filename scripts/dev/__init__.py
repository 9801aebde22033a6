"""What developers and container images run; see docs/development.md."""
