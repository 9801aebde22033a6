"""Many images: where they come from, how they are kept, and for how long."""
