"""What the platform team can set, read from the environment with the prefix PLAYERSCORE_API_.

The store's two secrets can also be files named like their variables, in lower case, in the folder that
PLAYERSCORE_API_SECRETS_DIR names.
"""

import os
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def _in_cluster_url() -> str:
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
    return (
        f"https://{f'[{host}]' if ':' in host else host}:{os.environ.get('KUBERNETES_SERVICE_PORT', '443')}"
    )


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
    """The API's settings. Only the store's address and its two secrets have no default."""

    host: str = "0.0.0.0"  # noqa: S104  # a pod serves its Service on every address
    """The address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """The port to listen on."""
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
    store_access_key: SecretStr
    """The store's access key."""
    store_secret_key: SecretStr
    """The store's secret key."""
    public_store_endpoint: str | None = None
    """Where people reach the store; without it, uploads go through this program."""
    presigned_seconds: Annotated[int, Field(ge=1, le=12 * 3600)] = 3600
    """How long a presigned URL is good for."""
    upload_max_bytes: Annotated[int, Field(ge=1)] = 8 * 2**30
    """The largest video that may be uploaded."""


def load() -> Settings:
    """The settings of this process. Raises ValidationError that names what is missing."""
    return Settings(_secrets_dir=os.environ.get("PLAYERSCORE_API_SECRETS_DIR"))  # type: ignore[call-arg]
