"""How far answers can be trusted: accuracy where classes are known, agreement where they are not."""
