"""Finding the affine symmetries of an activation from its values, and proving those that its expression proves."""
