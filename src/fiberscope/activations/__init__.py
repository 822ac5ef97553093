"""Activation functions as data: expressions, exact pieces, proofs of identities, and the laws of the built-in ones."""
