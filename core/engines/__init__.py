"""The inference engines: one protocol, one module for each library, found by ``core.engines.registry``."""
