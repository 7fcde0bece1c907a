"""The screens: the main one, the help, and small questions on top of them."""
