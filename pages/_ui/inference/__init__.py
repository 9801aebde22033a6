"""What the inference page draws with, and the run panel."""
