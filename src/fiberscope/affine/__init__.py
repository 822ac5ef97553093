"""Affine symmetries: every network with the same function, for any activation and any wiring."""
