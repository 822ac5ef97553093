"""Faces of an inspection: words for a terminal, and one self-contained page."""
