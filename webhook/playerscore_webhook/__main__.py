"""`python -m playerscore_webhook`."""

import asyncio

from playerscore_webhook import logs
from playerscore_webhook.server import serve
from playerscore_webhook.settings import Settings


def main() -> None:
    """Serve until told to stop."""
    settings = Settings()
    logs.configure(settings.log_level)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
