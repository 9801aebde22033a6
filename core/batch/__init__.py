"""Folders of millions: the recogniser as a job on many machines, which goes on where it was ended."""
