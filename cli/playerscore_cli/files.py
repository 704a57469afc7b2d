"""What a run left in a folder, read again."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from playerscore.errors import PlayerscoreError

Model = TypeVar("Model", bound=BaseModel)


def read(file: Path, model: type[Model], what: str) -> Model:
    """The content of a JSON file, which is said to be `what`. Raises PlayerscoreError: NOT_FOUND, INVALID."""
    try:
        return model.model_validate_json(file.read_text())
    except FileNotFoundError as error:
        raise PlayerscoreError("NOT_FOUND", f"There is no {file}") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise PlayerscoreError("INVALID", f"{file} is no {what} that this version reads") from error
