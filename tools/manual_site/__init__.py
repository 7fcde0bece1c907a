"""Makes the manual's site of `docs`, its references of the models that the program itself goes by, and its pictures."""
