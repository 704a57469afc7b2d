"""What the platform team can set, read from the environment with the prefix PLAYERSCORE_API_."""

import os
import re
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from playerscore.listening import authority

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
OWN_PATHS: Final = frozenset(
    {"jobs", "events", "uploads", "worker", "console", "docs", "openapi.json", "healthz", "readyz", "metrics"}
)
"""First parts of this API's own addresses: a prefix that begins with one could not be told from them."""
ORIGIN: Final = re.compile(r"\*|https?://[^/\s]+")


def _prefix(value: str) -> str:
    if value.strip("/").split("/")[0] in OWN_PATHS:
        raise ValueError("a prefix cannot begin like an address of this API")
    return value


def _origins(values: list[str]) -> list[str]:
    for value in values:
        if not ORIGIN.fullmatch(value):
            raise ValueError(f"{value!r} is no origin, such as https://pages.example.com, nor *")
    return values


def _in_cluster_url() -> str:
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
    return f"https://{authority(host, os.environ.get('KUBERNETES_SERVICE_PORT', '443'))}"


class KubeSettings(BaseSettings):
    """Where Kubernetes is, and this program's own account."""

    model_config = SettingsConfigDict(env_prefix="PLAYERSCORE_API_", frozen=True)

    kube_url: str = Field(default_factory=_in_cluster_url)
    """The API server's address; the cluster's own Service when unset."""
    kube_ca_file: Path | None = ACCOUNT / "ca.crt"
    """PEM that the API server's certificate chains to."""
    kube_token_file: Path = ACCOUNT / "token"
    """The API's own account: only to check pods' tokens and to read their jobs, pods and runtimes."""


class Settings(KubeSettings):
    """The API's settings. Only the store's address has no default."""

    host: str = ""
    """The address to listen on; all of IPv4 and IPv6 when empty."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """The port to listen on, without TLS: for probes, Prometheus and the cluster's own pods."""
    tls_port: Annotated[int, Field(ge=0, le=65_535)] = 8443
    """The port to listen on with TLS, where a certificate is given."""
    tls_cert_file: Path | None = None
    """PEM with the certificate and its chain; read again when it changes."""
    tls_key_file: Path | None = None
    """PEM with its key."""
    root_path: Annotated[
        str, StringConstraints(pattern=r"^(/[A-Za-z0-9._~-]+)*$"), AfterValidator(_prefix)
    ] = ""
    """The path below which people reach this API, such as /scoring, whether or not a proxy takes it off."""
    keep_alive_seconds: Annotated[int, Field(ge=1, le=3600)] = 75
    """How long an idle connection is kept; longer than the proxy in front keeps it."""
    cors_origins: Annotated[list[str], AfterValidator(_origins)] = []
    """Origins of web pages that may call this API from a browser; none when empty, all with `*`."""
    access_log: bool = True
    """Whether each request but probes gets a line in the log."""
    log_level: str = "info"
    """debug, info, warning or error."""
    namespace: str = "default"
    """The namespace of requests that name none."""

    event_ping_seconds: Annotated[int, Field(ge=1, le=300)] = 15
    """How often a silent event stream says that it is alive; proxies cut silent connections."""
    max_event_streams: Annotated[int, Field(ge=1)] = 500
    """Event streams of one replica; the next is refused with TOO_MANY_REQUESTS and goes to another."""

    event_patience_seconds: Annotated[float, Field(ge=0, le=600)] = 30
    """How long event streams wait for a Kubernetes that went away; then they end with CLUSTER_UNAVAILABLE."""

    store_endpoint: str
    """Where this program and the pods reach the store."""
    store_bucket: str = "playerscore"
    """The bucket; it is created when missing."""
    store_region: str = "us-east-1"
    """The bucket's region."""
    store_access_key: SecretStr | None = None
    """The store's access key; without keys the cloud's own are taken, as every AWS client does."""
    store_secret_key: SecretStr | None = None
    """The store's secret key."""
    secrets_dir: Path | None = None
    """A folder with both keys as files, playerscore_api_store_access_key and …_secret_key; read at every use."""
    public_store_endpoint: str | None = None
    """Where people reach the store; without it, uploads go through this program."""
    presigned_seconds: Annotated[int, Field(ge=1, le=12 * 3600)] = 3600
    """How long a presigned URL is good for."""
    upload_max_bytes: Annotated[int, Field(ge=1)] = 8 * 2**30
    """The largest video that may be uploaded."""

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        for first, second in (("tls_cert_file", "tls_key_file"), ("store_access_key", "store_secret_key")):
            if (getattr(self, first) is None) != (getattr(self, second) is None):
                raise ValueError(f"{first} and {second} are given together or not at all")
        return self


def load() -> Settings:
    """The settings of this process. Raises ValidationError that names what is missing."""
    return Settings()  # type: ignore[call-arg]
