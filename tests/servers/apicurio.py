"""A real schema registry: Apicurio, in memory, with its Confluent API."""

from __future__ import annotations

import http.client
import tempfile
from pathlib import Path
from typing import Self

from tests.servers.archives import archive_option
from tests.servers.jars import registry_home
from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess

_API = "/apis/ccompat/v7"


class RegistryServer:
    """One registry on a free port; empty at every start."""

    def __init__(self, classes: str | None = None) -> None:
        """Take the option of the JVM that says where an archive of the classes is; there is one by default."""
        self._classes = archive_option("registry", registry_home(), _load) if classes is None else classes
        self._folder = tempfile.TemporaryDirectory(prefix="headrace-registry-")
        self._port = free_ports(1)[0]
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """The base URL of the Confluent API."""
        return f"http://127.0.0.1:{self._port}{_API}"

    def start(self) -> Self:
        home = registry_home()
        (runner,) = home.glob("*-runner.jar")
        self._process = ServerProcess(
            [
                "java",
                "-Xmx384m",
                self._classes,
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                f"-Dquarkus.http.port={self._port}",
                "-Dquarkus.http.host=127.0.0.1",
                "-Dquarkus.log.level=WARN",
                "-jar",
                str(runner),
            ],
            output=Path(self._folder.name) / "registry.log",
            cwd=home,
        )
        self._process.wait_until(self._answers, 60)
        return self

    def stop(self, seconds: float = 15.0) -> None:
        """End it, by force if it takes longer."""
        if self._process is not None:
            self._process.stop(seconds)
            self._process = None
        self._folder.cleanup()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", f"{_API}/subjects")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _load(option: str) -> None:
    """Let a registry load its classes, and give it the time to write them down."""
    with RegistryServer(option) as registry:
        registry.stop(120)
