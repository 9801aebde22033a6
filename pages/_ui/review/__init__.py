"""What the Review page draws with."""
