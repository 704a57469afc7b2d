"""The files of values on the page docs/installing.md, by the heading that they stand under."""

import re
from typing import Any

import yaml

from controlplane import ROOT

PAGE = ROOT / "docs" / "installing.md"


def snippets() -> dict[str, dict[str, Any]]:
    """`EKS 1`, `EKS 2`, … and their values."""
    found: dict[str, dict[str, Any]] = {}
    for section in PAGE.read_text().split("\n## ")[1:]:
        heading = section.splitlines()[0]
        for number, text in enumerate(
            re.findall(r"^```yaml\n(.*?)^```", section, re.MULTILINE | re.DOTALL), 1
        ):
            found[f"{heading} {number}"] = yaml.safe_load(text)
    return found
