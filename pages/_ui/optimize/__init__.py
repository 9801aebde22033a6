"""What the optimize page draws with."""
