"""What the pages share: typed session state, component wrappers and messages."""
