"""The files of a model whose network is a graph that others made, instead of weights of a known network."""

GRAPH_XML, GRAPH_BIN = "network.xml", "network.bin"  # normalised float32 NCHW in, logits out
UNPACKED = "unpacked"  # folder of what came in a ZIP, while it is looked at
