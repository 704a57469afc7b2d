"""`python -m playerscore_api.store_secret NAMESPACE NAME`: makes the embedded store's credentials, once.

A chart that rolls dice while it renders gives other credentials at every render, and those who render without a
cluster (Argo CD, Flux, `helm template`) never see the live ones. So a Job that runs before an install or an
upgrade makes the Secret when there is none, and leaves alone the one that there is.
"""

import asyncio
import secrets
import string
import sys

import structlog

from playerscore import logs
from playerscore.errors import PlayerscoreError
from playerscore_api import cluster
from playerscore_api.own import Own
from playerscore_api.settings import KubeSettings

log = structlog.get_logger("playerscore.store_secret")


def credentials(name: str, labels: dict[str, str]) -> dict[str, object]:
    """A Secret with fresh credentials."""
    letters = string.ascii_letters + string.digits
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "type": "Opaque",
        "stringData": {
            "accessKey": f"playerscore-{secrets.token_hex(4)}",
            "secretKey": "".join(secrets.choice(letters) for _ in range(40)),
        },
    }


async def ensure(where: KubeSettings, namespace: str, name: str) -> bool:
    """Whether the Secret had to be made. Raises PlayerscoreError."""
    labels = {"app.kubernetes.io/name": "playerscore", "app.kubernetes.io/component": "store"}
    async with cluster.pools(where.kube_ca_file) as http:
        own = Own(http, where.kube_url, cluster.own_token(where.kube_token_file))
        try:
            await own.create_secret(namespace, credentials(name, labels))
        except PlayerscoreError as error:
            if error.code != "ALREADY_EXISTS":
                raise
            return False
    return True


def main(arguments: list[str]) -> int:
    """The exit code."""
    if len(arguments) != 2:
        print("usage: python -m playerscore_api.store_secret NAMESPACE NAME", file=sys.stderr)
        return 2
    logs.configure("info")
    try:
        made = asyncio.run(ensure(KubeSettings(), *arguments))
    except PlayerscoreError as error:
        log.error("no credentials", code=error.code, message=error.message)
        return 1
    log.info("made" if made else "there already", secret=arguments[1])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
