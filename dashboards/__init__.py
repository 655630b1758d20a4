"""The print: static pages. Draws the same results."""
