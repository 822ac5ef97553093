"""`fiberscope shallow`: networks of one hidden layer, their normal form and everything that follows; one file each."""
