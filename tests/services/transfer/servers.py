"""A SeaweedFS of one's own, and a client of any S3 by its URL."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runctl.services.transfer.client import Request, S3Client
from runctl.services.transfer.listing import list_remote
from runctl.services.transfer.retry import Backoff
from runctl.services.transfer.sigv4 import Keys
from runctl.services.transfer.site import Site, StaticCredentials, parse_endpoint

KEYS = Keys("AKIDEXAMPLE", "secret-of-a-test")
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": KEYS.access_key,
    "AWS_SECRET_ACCESS_KEY": KEYS.secret_key,
    "AWS_REGION": "us-east-1",
}


def _free_ports(count: int) -> list[int]:
    """Ports free now, whose twins 10,000 above (SeaweedFS's gRPC) are free too."""
    found: list[int] = []
    for port in range(21000 + (time.monotonic_ns() // 1000) % 9000, 45000):
        with socket.socket() as one, socket.socket() as twin:
            try:
                one.bind(("127.0.0.1", port))
                twin.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


@contextmanager
def seaweedfs(directory: Path, *, volume_mb: int = 64) -> Iterator[str]:
    """Run a server with its data below `directory`, in volumes of `volume_mb` megabytes; yields its URL."""
    weed = Path(sys.executable).with_name("weed")
    master, volume, filer, s3 = _free_ports(4)
    identity = {"accessKey": KEYS.access_key, "secretKey": KEYS.secret_key}
    config = directory / "s3.json"
    config.write_text(json.dumps({"identities": [{"name": "test", "credentials": [identity], "actions": ["Admin"]}]}))
    data = directory / "data"
    data.mkdir()
    ports = [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}"]
    address = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    # Each bucket grows seven volumes of its own: with the default of 8, or with 300 and fifty tests, puts answer 500.
    limits = [
        "-volume.max=5000",
        f"-master.volumeSizeLimitMB={volume_mb}",
        "-master.volumePreallocate=false",
    ]
    # No fixed ports beside the four, and no call home.
    quiet = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    command = [str(weed), f"-logdir={directory}", "server", f"-dir={data}", *address, *ports, *limits, *quiet]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([*command, "-filer", "-s3", f"-s3.config={config}"], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{s3}"
    try:
        _wait(url, process)
        yield url
    finally:
        process.kill()
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a bucket can be made and an object put: the parts of the server find each other late."""
    client = client_of(url, attempts=1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "SeaweedFS ended"
        try:
            make_bucket(client, "ready")
            client.call(Request("PutObject", "PUT", "ready", "x"))
        except Exception:  # noqa: BLE001 - whatever it answers before it is up
            time.sleep(0.05)
        else:
            return
    raise AssertionError("SeaweedFS does not answer")


def client_of(url: str, *, attempts: int = 8, base: float = 0.01, cap: float = 0.2) -> S3Client:
    """A client with short waits."""
    site = Site("us-east-1", endpoint=parse_endpoint(url), path_style=True)
    return S3Client(site, StaticCredentials(KEYS), backoff=Backoff(attempts, base, cap), read_s=20)


def make_bucket(client: S3Client, bucket: str) -> str:
    """Create a bucket."""
    client.call(Request("CreateBucket", "PUT", bucket))
    return bucket


def put(client: S3Client, bucket: str, key: str, data: bytes) -> None:
    """Put an object, whatever its key."""
    from runctl.services.transfer.client import Bytes

    client.call(Request("PutObject", "PUT", bucket, key, body=Bytes(data)))


def get(client: S3Client, bucket: str, key: str) -> bytes:
    """An object's bytes."""
    return client.call(Request("GetObject", "GET", bucket, key)).body


def keys(client: S3Client, bucket: str, prefix: str = "") -> dict[str, int]:
    """Keys below a prefix and their sizes."""
    return {f.key: f.size for page in list_remote(client, bucket, prefix) for f in page}
