"""Pictures are kept as `.svg`, so that people can open them."""

from __future__ import annotations

from pytest_textual_snapshot import SVGImageExtension

SVGImageExtension.file_extension = "svg"
