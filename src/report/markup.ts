/** @file Markup that cannot be injected into: everything put into a template is escaped unless it is markup itself. */

export interface Markup {
  readonly markup: string;
}

export type Insertable = Markup | string | number | undefined | false | readonly Insertable[];

/** A tagged template for HTML and SVG: ``html`<td>${name}</td>` `` escapes `name`. */
export function html(parts: TemplateStringsArray, ...values: readonly Insertable[]): Markup {
  return { markup: parts.reduce((text, part, i) => text + render(values[i - 1]) + part) };
}

function render(value: Insertable): string {
  if (value === undefined || value === false) return "";
  if (typeof value === "object") return "markup" in value ? value.markup : value.map(render).join("");
  return escapeText(String(value));
}

/** Text made safe for element content and quoted attributes; control and direction characters are shown as `�`. */
export function escapeText(text: string): string {
  return text
    .replace(
      /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
      "\ufffd",
    )
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
