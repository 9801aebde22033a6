"""Making INT8 models: graph steps, calibration images, trust gate, and the run that joins them."""
