"""Where the images of a stack come from, one module for each kind."""
