"""The normaliser: one set of plain columns out of every dialect that emitters speak.

`normalise` is what the door calls. The tables of the dialects are in `keys` (attributes), `scopes` (emitters),
`roles` (what spans are) and `resources`; a new emitter is a few lines there and a row in the tests.
"""

from collector.normalise.resources import Resources
from collector.normalise.tables import normalise

__all__ = ["Resources", "normalise"]
