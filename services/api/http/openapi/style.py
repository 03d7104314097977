"""How the reference looks."""

from __future__ import annotations

STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { background: #f4f4f2; padding: 0.75rem; overflow: auto; max-height: 24rem; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0; }
th, td { text-align: left; vertical-align: top; border-bottom: 1px solid #ccc; padding: 0.3rem; }
h3 { margin-top: 2.5rem; }
"""
