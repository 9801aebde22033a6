"""What the Evaluate page draws with."""
