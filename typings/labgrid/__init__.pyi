# What flashdeck uses of labgrid 26.0; the package has no type information of its own, and is not in `.venv`.
from labgrid.environment import Environment as Environment
from labgrid.target import Target as Target
