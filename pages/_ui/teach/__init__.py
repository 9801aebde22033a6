"""What the Teach page draws with."""
