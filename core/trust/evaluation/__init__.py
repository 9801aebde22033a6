"""How often answers are right, where classes are known: figures with intervals, for each engine and between two."""
