"""`python -m playerscore_api`."""

from playerscore import logs
from playerscore_api import serving, settings
from playerscore_api.app import build


def main() -> None:
    """Serve until told to stop."""
    chosen = settings.load()
    logs.configure(chosen.log_level)
    serving.run(build(chosen), chosen)


if __name__ == "__main__":
    main()
