"""`python -m playerscore_api`."""

import uvicorn

from playerscore import logs
from playerscore_api import settings
from playerscore_api.app import build


def main() -> None:
    """Serve until told to stop."""
    chosen = settings.load()
    logs.configure(chosen.log_level)
    uvicorn.run(
        build(chosen),
        host=chosen.host,
        port=chosen.port,
        log_config=None,
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=20,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
