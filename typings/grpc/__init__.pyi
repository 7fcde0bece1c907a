# What tests use of grpcio 1.85, which labgrid brings; the package has no type information of its own.
from enum import Enum

from grpc import aio as aio

class StatusCode(Enum):
    FAILED_PRECONDITION = ...
    UNAVAILABLE = ...
