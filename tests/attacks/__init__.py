"""Makers of hostile model files."""
