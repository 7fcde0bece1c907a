import abc

class BootstrapProtocol(abc.ABC):
    @abc.abstractmethod
    def load(self, filename: str) -> None: ...

class ConsoleProtocol(abc.ABC): ...
