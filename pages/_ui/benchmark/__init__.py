"""What the benchmark page draws with."""
