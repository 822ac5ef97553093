"""`fiberscope linear`: the fiber of a matrix, its strata, and where given factors lie in it; one file per command."""
