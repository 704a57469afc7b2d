"""Settings of the operator, from environment variables that begin with `PLAYERSCORE_`."""

import socket
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once at start; every value can be set by the chart."""

    model_config = SettingsConfigDict(env_prefix="PLAYERSCORE_", frozen=True)

    namespace: str = "playerscore-system"
    """The operator's own namespace: the Lease and the webhook's Secret live there."""
    namespaces: list[str] = []
    """Namespaces whose ScoringJobs are looked after; all when empty."""
    api_url: str = "http://playerscore-api.playerscore-system.svc:8080"
    """The REST API as worker pods reach it."""
    runtimes_file: Path | None = None
    """A JSON list of ScoringRuntimes that the leader keeps applied; none when absent."""
    identity: str = Field(default_factory=socket.gethostname)
    """This replica's name in the Lease."""
    lease_name: str = "playerscore-operator"
    """The Lease that elects the leader."""
    lease_seconds: int = 15
    """How long a Lease that is not renewed keeps others out."""
    renew_deadline_seconds: int = 10
    """A leader that could not renew for this long writes nothing until it can; it ends when another leads."""
    retry_seconds: int = 2
    """Between two looks at the Lease."""
    host: str = ""
    """The address to serve health and metrics on; all of IPv4 and IPv6 when empty."""
    health_port: int = 8080
    """Serves /healthz, /readyz and /metrics."""
    resync_seconds: float = 300
    """Between two listings that find what events missed."""
    tidy_seconds: float = 600
    """Between two looks for child Jobs that nobody needs any more."""
    complete_child_seconds: float = 3600
    """How long a child Job that did its work stays after its end, with its pod and log."""
    failed_child_seconds: float = 86_400
    """How long a failed one stays."""
    workers: int = 8
    """How many jobs are reconciled at a time."""
    webhook_configuration: str | None = None
    """The ValidatingWebhookConfiguration to give a certificate; none when cert-manager does it."""
    webhook_secret: str = "playerscore-webhook-tls"  # noqa: S105 - the name of a Secret
    """The Secret of the operator's own namespace that holds the webhook's certificate."""
    webhook_service: str = "playerscore-webhook"
    """The webhook's Service: the certificate is made for its DNS name."""
    webhook_authority_secret: str = "playerscore-webhook-ca"  # noqa: S105 - the name of a Secret
    """The Secret that holds the certificate authority's key; it is mounted nowhere."""
    webhook_leaf_seconds: float = 90 * 86_400
    """How long the webhook's certificate lives; replaced after two thirds of it."""
    webhook_authority_seconds: float = 730 * 86_400
    """How long its authority lives; replaced after two thirds of it."""
    webhook_settle_seconds: float = 60
    """How long API servers may take to learn of a new authority; only then it is used."""
    webhook_overlap_seconds: float = 600
    """How long the old authority stays trusted after that: until every pod has loaded the new certificate."""
    certificate_check_seconds: float = 15
    """Between two looks at the webhook's certificate."""
    log_level: str = "info"
    """debug, info, warning or error."""
