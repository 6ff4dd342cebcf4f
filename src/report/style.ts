/** @file The style sheet of the report. */

export const style = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6877; --line: #dfe4ea; --paper: #fff; --card: #f6f8fa; --good: #0b7a53; --goodbg: #e3f4ec;
  --bad: #b3372c; --accent: #2457d6; --wide: #b9c7de; --half: #9fd0c3; --narrow: #f2cf8d; --rest: #d9dce1; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ecf2; --soft: #9aa6b5; --line: #2c3541; --paper: #12171e; --card: #1a212b; --good: #4cc79a; --goodbg: #15302a;
  --bad: #f0867b; --accent: #7aa2ff; --wide: #3d5075; --half: #2c6a5d; --narrow: #7d5f1f; --rest: #3a424d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px 24px 64px; max-width: 1040px; background: var(--paper); color: var(--ink); overflow-wrap: anywhere; font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 6px; } h2 { font-size: 18px; margin: 40px 0 4px; }
p { margin: 4px 0 10px; } .soft, .note { color: var(--soft); }
.verdict { padding: 12px 16px; border-radius: 8px; margin: 16px 0; background: var(--card); border-left: 5px solid var(--soft); font-size: 16px; }
.verdict.faster { background: var(--goodbg); border-color: var(--good); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 12px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.card b { display: block; font-size: 28px; line-height: 1.15; margin: 2px 0; font-variant-numeric: tabular-nums; }
.card .label { color: var(--soft); font-size: 13px; text-transform: uppercase; letter-spacing: .04em; } .card .better { color: var(--good); } .card .worse { color: var(--bad); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th { text-align: left; font-weight: 600; color: var(--soft); white-space: nowrap; } th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; white-space: nowrap; } tr.chosen td { font-weight: 600; background: var(--goodbg); } tr.refused td { color: var(--soft); }
.scroll { overflow-x: auto; } .scroll > table { min-width: 660px; } .scroll > svg { min-width: 560px; } .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; align-items: end; } @media (max-width: 720px) { .pair { grid-template-columns: 1fr; } }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif; } svg text { fill: var(--ink); } svg text.note, svg text.title { fill: var(--soft); }
svg .grid { stroke: var(--line); } svg .limit { stroke: var(--soft); stroke-dasharray: 4 4; } svg .good { fill: var(--goodbg); }
svg circle { fill: var(--rest); stroke: var(--soft); opacity: .85; } svg .front circle { fill: var(--accent); stroke: var(--accent); opacity: .55; } svg .chosen circle { fill: var(--good); stroke: var(--good); opacity: .95; }
svg text.name { font-weight: 700; fill: var(--good); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
.tile rect { stroke: var(--paper); stroke-width: 1; } .tile.wide rect { fill: var(--wide); } .tile.half rect { fill: var(--half); } .tile.narrow rect { fill: var(--narrow); } .tile.rest rect { fill: var(--rest); }
.curve path { fill: none; stroke-width: 2; stroke-linejoin: round; } .curve.soft path { stroke-width: 1; opacity: .35; } .curve.c0 path { stroke: var(--accent); } .curve.c1 path { stroke: var(--accent); } .curve.c2 path { stroke: var(--good); }
svg .curve circle { opacity: 1; } svg .curve.c0 circle { fill: var(--accent); stroke: var(--accent); } svg .curve.c2 circle { fill: var(--good); stroke: var(--good); }
.heat rect { fill: var(--accent); stroke: var(--line); stroke-width: .5; } svg.heat text.dark { fill: var(--paper); } h3 { font-size: 15px; margin: 18px 0 4px; }
.bar rect { fill: var(--accent); opacity: .7; } .kept rect { fill: var(--good); }
.key span { display: inline-block; margin-right: 14px; } .key i { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 5px; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
th.fact { width: 1%; padding-right: 16px; } .key i.round { border-radius: 50%; }
details { margin: 6px 0; } details.inline { display: inline-block; margin: 0; } summary { cursor: pointer; } @media (max-width: 500px) { body { padding: 18px 14px 40px; } h1 { font-size: 22px; } }
@media print { body { max-width: none; } }
`;
