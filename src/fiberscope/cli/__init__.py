"""The command line: one file per command; `main.py` turns errors into one line and an exit status."""
