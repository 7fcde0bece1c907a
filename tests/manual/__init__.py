"""The manual as a program: the commands of its pages are run, its site is built, its texts are held to the tree."""
