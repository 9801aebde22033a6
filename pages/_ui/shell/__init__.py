"""What all pages share: the session, links, messages, the choice of a model."""
