"""What the models' own spellings take."""

import pytest
from pydantic import TypeAdapter, ValidationError

from playerscore.schema import Quantity

TAKEN = [
    "12",
    "1.5",
    "20m",
    "100n",
    "5u",
    "2k",
    "3M",
    "1G",
    "1e3",
    "1E3",
    "64Ki",
    "512Mi",
    "1.5Gi",
    "2Ti",
    "1Pi",
    "1Ei",
]
REFUSED = ["", "Gi", "1ki", "1mi", "1ni", "1K", "1Gib", "1 Gi", "-1", "1e"]


@pytest.mark.parametrize("text", TAKEN)
def test_a_quantity_is_spelt_as_kubernetes_spells_it(text: str) -> None:
    assert TypeAdapter(Quantity).validate_python(text) == text


@pytest.mark.parametrize("text", REFUSED)
def test_what_kubernetes_does_not_take_is_none(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Quantity).validate_python(text)
