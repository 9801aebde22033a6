"""Models that are installed: card, files, weights, labels, downloads, and the exported forms (ONNX, OpenVINO IR)."""
