"""Honest measurement of the engines on this machine: what was run, how fast, and how near to the machine's limit."""
