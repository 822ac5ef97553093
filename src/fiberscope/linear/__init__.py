"""Linear networks: the whole geometry of the fiber of a matrix, `mu^{-1}(W) = {(W_1, ..., W_L): W_L ... W_1 = W}`."""
