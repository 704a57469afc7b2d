"""`python -m playerscore_webhook`."""

import uvloop

from playerscore import logs
from playerscore_webhook.server import Webhook, serve
from playerscore_webhook.settings import Settings


def main() -> None:
    """Serve until told to stop; on uvloop, whose TLS is compiled."""
    settings = Settings()
    logs.configure(settings.log_level)
    uvloop.run(serve(Webhook(settings)))


if __name__ == "__main__":
    main()
