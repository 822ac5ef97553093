"""Compression without loss: fewer units, the same function, with a proof per unit."""
