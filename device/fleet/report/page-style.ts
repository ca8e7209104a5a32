/** The page's style sheet. No IO. */

/** Colours on a light ground, for the screen and for paper. */
const LIGHT = `--ground:#f6f7f9;--card:#fff;--ink:#17202c;--muted:#5c6878;--line:#e3e7ec;--done:#1a8a54;--failed:#c8321f;
--good:#1a7f4b;--warn-ground:#fff6e0;--warn-line:#e0a100;--good-ground:#e4f5ec;--bad-ground:#fdeae7;
--series-1:#2563c9;--series-2:#d97706;--series-3:#8b46c9;--series-4:#be2f75;--series-5:#0d9488;--series-6:#64748b;`;

const DARK = `--ground:#0f141a;--card:#171e27;--ink:#e8edf3;--muted:#97a3b3;--line:#2a3441;--done:#4cc38a;--failed:#ff7360;
--good:#4cc38a;--warn-ground:#2c2412;--warn-line:#d9a514;--good-ground:#12301f;--bad-ground:#391a16;
--series-1:#5b9bff;--series-2:#f5a541;--series-3:#b78af0;--series-4:#f078ad;--series-5:#34c3b3;--series-6:#94a3b8;`;

/** Early to late; light to dark on a light ground. */
const LIGHT_RAMP = [
  ...["#fdf3c9", "#fbe3a0", "#f8cd7a", "#f4b25f", "#ee9552", "#e47750"],
  ...["#d45a55", "#bd425f", "#9f3068", "#7d246b", "#591d63", "#371750"],
];
/** Early to late; dark to light on a dark ground. */
const DARK_RAMP = [
  ...["#2a1e4f", "#45216a", "#632574", "#822c75", "#a1366f", "#bd4464"],
  ...["#d55858", "#e7714f", "#f38e4f", "#f9ad5c", "#fbcc7a", "#fcecae"],
];

const ramp = (colours: readonly string[], scope = ""): string =>
  colours.map((colour, step) => `${scope}.h${step}{fill:${colour};background:${colour}}`).join("");

const BASE = `
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1180px;margin:0 auto;padding:32px 20px 64px}
header{display:flex;flex-wrap:wrap;align-items:center;gap:6px 14px;margin-bottom:20px}
h1{font-size:26px;line-height:1.2;margin:0;letter-spacing:-.01em}
h2{font-size:17px;line-height:1.3;margin:0 0 2px}
header p{flex-basis:100%;margin:0;color:var(--muted)}
.state{border-radius:99px;padding:3px 12px;font-size:13px;font-weight:600}
.state.good{background:var(--good-ground);color:var(--good)}
.state.bad{background:var(--bad-ground);color:var(--failed)}
.limits{list-style:none;margin:0 0 20px;padding:0;display:grid;gap:8px}
.limits li{background:var(--warn-ground);border-left:4px solid var(--warn-line);border-radius:6px;padding:10px 14px;overflow-wrap:anywhere}
.limits li::first-letter{text-transform:uppercase}
.figures{display:grid;grid-template-columns:repeat(4,1fr);gap:1px;margin:0 0 20px;background:var(--line);border:1px solid var(--line);border-radius:12px;overflow:hidden}
.figure{background:var(--card);padding:18px 20px}
.figure dt{color:var(--muted);font-size:13px}
.figure dd{margin:0}
.figure .value{font-size:32px;line-height:1.25;font-weight:650;letter-spacing:-.02em;font-variant-numeric:tabular-nums;white-space:nowrap}
.figure .value small{font-size:17px;font-weight:500;letter-spacing:0;color:var(--muted)}
.figure.bad .value{color:var(--failed)}
.note{color:var(--muted);font-size:13px}
.grid{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:20px}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px;min-width:0;margin:0;break-inside:avoid}
.wide{grid-column:1/-1}
.card p{margin:0}
.summary{color:var(--muted);font-size:13.5px}
figure.card{display:flex;flex-direction:column}
.plot{min-height:300px;margin-top:auto;padding-top:12px}`;

const DETAILS = `
.uplot{font-family:inherit;width:100%}
.uplot .u-legend{text-align:left;margin:4px 0 0 12px;font-size:13px;font-variant-numeric:tabular-nums}
.uplot .u-legend{min-height:32px}.u-inline.u-live th::after{content:""}
.uplot .u-legend th,.uplot .u-legend td{border:0;padding:2px 4px 2px 0}
.uplot .u-legend th{font-weight:500;color:var(--muted)}
.uplot .u-legend .u-marker{width:12px;height:12px;border-radius:3px;border-width:0!important}
.uplot .u-legend .u-series:first-child .u-marker,.uplot .u-legend .u-series:first-child .u-label{display:none}
.u-hz .u-cursor-x{border-right:1px solid var(--muted)}
table{border-collapse:collapse;width:100%;font-size:14px}
caption{text-align:left;color:var(--muted);font-size:13.5px;padding-bottom:10px}

th,td{text-align:left;vertical-align:top;padding:7px 12px 7px 0;border-top:1px solid var(--line);font-weight:400}
thead th{border-top:0;color:var(--muted);font-size:13px;white-space:nowrap}
tbody th{font-weight:500}
th:last-child,td:last-child{padding-right:0}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.groups th{white-space:nowrap}
.key{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:8px;vertical-align:-1px}
.scroll{overflow-x:auto}
.bad .number,span.bad{color:var(--failed)}
code,.name{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;unicode-bidi:isolate;overflow-wrap:anywhere}
.message{overflow-wrap:anywhere}
th code{white-space:nowrap}
.names{list-style:none;margin:6px 0 0;padding:0;display:flex;flex-wrap:wrap;gap:4px 6px}
.names code{background:var(--ground);border-radius:5px;padding:1px 7px;color:var(--muted)}
.names .more{color:var(--muted);font-size:13px}
.heat{table-layout:fixed}
.heat th,.heat td{padding-top:2px;padding-bottom:2px;border-top:0;vertical-align:middle}
.heat th:first-child{width:150px}
.heat .link{width:84px;color:var(--muted);font-size:13px}
.heat .number{width:136px;font-size:13px;overflow:hidden;text-overflow:ellipsis}
.name{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.heat svg{display:block;width:100%;height:18px}
.heat .none{fill:none;stroke:var(--muted);stroke-width:1;stroke-opacity:.45;vector-effect:non-scaling-stroke}
.scale{color:var(--muted);font-size:13px;margin-top:10px!important;display:flex;align-items:center;gap:8px}
.ramp{display:inline-flex;border-radius:3px;overflow:hidden}
.ramp span{width:16px;height:12px}
.gap{width:12px;height:12px;margin-left:12px;border:1px solid var(--muted);opacity:.6}
.command{display:flex;align-items:stretch;gap:10px;margin-top:10px}
.command pre{flex:1;min-width:0;margin:0;padding:10px 14px;background:var(--ground);border:1px solid var(--line);border-radius:8px;white-space:pre-wrap;overflow-wrap:anywhere}
button{font:inherit;font-size:13.5px;color:var(--ink);background:var(--card);border:1px solid var(--line);border-radius:8px;padding:0 16px;min-height:40px;cursor:pointer}
button:hover{border-color:var(--muted)}
button:focus-visible{outline:2px solid var(--series-1);outline-offset:2px}
.run{display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));gap:12px 24px;margin:16px 0 0}
.run dt{color:var(--muted);font-size:13px}
.run dd{margin:0;overflow-wrap:anywhere}
footer{color:var(--muted);font-size:13px;margin-top:24px}`;

const SMALL = `
@media screen and (max-width:900px){.grid{grid-template-columns:minmax(0,1fr)}.figures{grid-template-columns:repeat(2,1fr)}}
@media screen and (max-width:560px){main{padding:20px 12px 40px}.card{padding:14px}.figure{padding:14px}.figure .value{font-size:25px}
.figure .value small{font-size:14px}.command{flex-direction:column}.heat .link{display:none}.heat th:first-child{width:86px}.heat .number{width:88px}.run{grid-template-columns:repeat(2,minmax(0,1fr))}
.ramp span{width:8px}.scale{flex-wrap:wrap;white-space:nowrap}
.failures thead{position:absolute;clip-path:inset(50%)}.failures tr{display:grid;grid-template-columns:1fr auto;border-top:1px solid var(--line)}
.failures th,.failures td{border:0}.failures td:last-child{grid-column:1/-1;padding-top:0}.failures,.failures tbody,.failures caption{display:block}}
.printed main{width:680px;padding:0;margin:0}.printed .grid{gap:12px}.printed .figures,.printed .limits{margin-bottom:12px}
.printed .figure{padding:12px 14px}.printed .figure .value{font-size:23px}.printed .figure .value small{font-size:14px}
@media print{body{background:#fff}button{display:none}
.card p{orphans:2}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
@page{margin:14mm}`;

/** The style sheet: light, dark where that is asked for, and on paper light again. */
export function pageStyle(): string {
  const series = [1, 2, 3, 4, 5, 6].map((number) => `.series-${number}{background:var(--series-${number})}`).join("");
  const dark = `@media screen and (prefers-color-scheme:dark){:root:not(.printed){${DARK}}${ramp(DARK_RAMP, ":root:not(.printed) ")}}`;
  return `:root{${LIGHT}}${ramp(LIGHT_RAMP)}${dark}${BASE}${DETAILS}${series}${SMALL}`;
}
