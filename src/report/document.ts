/** @file What pages have in common: the frame without scripts, cards, the facts of the machine. */
import type { AgreementBlock, Environment } from "./facts.ts";
import { html, type Markup } from "./markup.ts";
import { style } from "./style.ts";

const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** A whole page as text: self-contained, no script, nothing loaded. */
export function documentOf(title: string, body: Markup): string {
  const page = html`<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer"><title>${title}</title><style>${{ markup: style }}</style></head><body>
<h1>${title}</h1>
${body}
</body></html>`;
  return `<!doctype html>\n${page.markup}\n`;
}

/** A figure with its name, where it comes from and a note. */
export function card(
  label: string,
  value: string,
  tone: "better" | "worse" | "plain",
  change: string,
  note: string,
): Markup {
  return html`<div class="card"><span class="label">${label}</span><b class="${tone}">${value}</b>${change}<br><span class="note">${note}</span></div>`;
}

export function machineFacts(environment: Environment): (readonly [string, string])[] {
  const { cpu, cores, memoryGiB, os, cpuFlags, lithe, onnxruntime, node } = environment;
  return [
    ["machine", `${cpu}, ${cores} cores, ${memoryGiB.toFixed(0)} GiB, ${os}; ${cpuFlags.join(", ")}`],
    ["versions", `lithe ${lithe}, ONNX Runtime ${onnxruntime}, Node ${node}`],
  ];
}

/** The build that the answers came from. */
export function judgeFacts({ build }: AgreementBlock): (readonly [string, string])[] {
  return build === undefined ? [] : [["answers", `by ${build}`]];
}

/** Names and texts as rows of a table. */
export function factTable(rows: readonly (readonly [string, string])[]): Markup {
  return html`<table><tbody>${rows.map(([name, text]) => html`<tr><th class="fact">${name}</th><td>${text}</td></tr>`)}</tbody></table>`;
}
