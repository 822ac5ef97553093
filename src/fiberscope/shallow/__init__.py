"""One hidden layer: every set of weights that computes the same function, exactly."""
