"""The report's look: one style sheet, no outside fonts, light and dark by the reader's own setting."""

from __future__ import annotations

from fiberscope.scene.svg import PALETTE
from fiberscope.scene.svg import style as scene_style

_PAGE = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);line-height:1.55;
  font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}
main{max-width:1120px;margin:0 auto;padding:40px 24px 72px}
h1{font-size:30px;line-height:1.2;margin:0 0 6px;letter-spacing:-.015em;overflow-wrap:anywhere}
h2{font-size:19px;margin:44px 0 6px;letter-spacing:-.005em}
p{margin:6px 0;max-width:76ch}
.soft{color:var(--soft)}
.small{font-size:13.5px}
code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.88em;overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:14px;margin:26px 0 18px}
.card{background:var(--paper);border:1px solid var(--line);border-radius:12px;padding:16px 18px}
.card b{display:block;font-size:26px;line-height:1.15;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.card sup{font-size:.62em;line-height:0;vertical-align:.62em}
.card small{font-size:.62em;font-weight:500;color:var(--soft);letter-spacing:0}
.card span{font-size:13.5px;color:var(--soft)}
.panel{background:var(--paper);border:1px solid var(--line);border-radius:12px;margin:12px 0}
.graph{overflow:auto;max-height:860px;padding:14px;text-align:center}
.graph svg{display:inline-block;max-width:none}
.legend{display:flex;flex-wrap:wrap;gap:6px 20px;padding:12px 18px;border-top:1px solid var(--line);font-size:13.5px}
.legend span{display:inline-flex;align-items:center;gap:8px}
.legend svg{flex:none}
.chip{display:inline-block;padding:1px 10px;border-radius:99px;border:1.4px solid;font-weight:600;white-space:nowrap}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:9px 14px;vertical-align:top;border-top:1px solid var(--line)}
thead th{border-top:0;font-size:12.5px;color:var(--soft);font-weight:600;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
details{border-top:1px solid var(--line)}
details:first-child{border-top:0}
summary{cursor:pointer;padding:12px 18px;display:flex;flex-wrap:wrap;gap:8px 14px;align-items:baseline}
summary::-webkit-details-marker{display:none}
summary::before{content:'▸';color:var(--soft);font-size:.85em}
details[open]>summary::before{content:'▾'}
summary:hover{background:var(--hover)}
summary:focus-visible{outline:2px solid var(--accent);outline-offset:-2px;border-radius:12px}
summary .chip{font-size:13px}
.weights{font-size:13px;min-width:230px}
td details{border:0}
td summary{display:block;padding:2px 0;color:var(--soft)}
.inside{padding:0 18px 16px}
.inside table{margin-top:12px}
.inside th:first-child,.inside td:first-child{padding-left:0}
.cells{display:flex;flex-wrap:wrap;gap:3px;margin:4px 0 2px}
.cells i{width:11px;height:11px;border-radius:3px;background:var(--live)}
.cells i.dead,.dot.dead{background:var(--dead)}
.cells i.constant,.dot.constant{background:var(--constant)}
.cells i.duplicate,.dot.duplicate{background:var(--duplicate)}
.dot{display:inline-block;width:10px;height:10px;border-radius:3px;background:var(--live);margin-right:8px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:6px 22px;margin:12px 0;font-size:14px}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.good{color:var(--good)}.bad{color:var(--dead);font-weight:600}
@media (max-width:560px){main{padding:24px 14px 48px}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}}
@media print{.graph{max-height:none;overflow:visible}body{background:none}}
"""

_LIGHT = (
    "--ground:#f6f7f9;--line:#dfe3e8;--hover:#f3f5f7;--accent:#2f6fbd;--live:#c3ccd6;--dead:#c92a2a;"
    "--constant:#b07d00;--duplicate:#6f42c1;--good:#1f7a3a"
)
_DARK = (
    "--ground:#0e1115;--line:#2a313a;--hover:#1b2027;--accent:#6ea8f0;--live:#414b57;--dead:#ff8787;"
    "--constant:#e3b341;--duplicate:#b197fc;--good:#5fcf84"
)


def style() -> str:
    """The whole style sheet of a report page."""
    chips = "".join(
        f".chip.c-{key}{{background:var(--f-{key});border-color:var(--l-{key})}}.key.c-{key}{{fill:var(--f-{key});"
        f"stroke:var(--l-{key});stroke-width:1.6}}"
        for key in PALETTE
    )
    return (
        f":root{{color-scheme:light dark;{_LIGHT}}}@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
        + scene_style()
        + chips
        + "".join(line.strip() for line in _PAGE.splitlines())
    )
