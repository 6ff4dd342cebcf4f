/**
 * @file Takes a picture of a section of a report page for the documentation: `node --import ./scripts/typescript.mjs scripts/picture.ts
 * PAGE.html OUT.png TITLE`. TITLE is how the section's heading begins. Needs Chromium; `CHROMIUM_PATH` names one.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium as launcher } from "playwright-core";
import sharp from "sharp";
import { chromium } from "../test/swiftshader.ts";

const WIDTH = 780;
const MARGIN = 12;

const [page, out, title] = process.argv.slice(2);
if (page === undefined || out === undefined || title === undefined) throw new Error("PAGE.html OUT.png TITLE");
if (chromium === undefined) throw new Error("there is no Chromium; CHROMIUM_PATH names one");

const browser = await launcher.launch({ executablePath: chromium });
try {
  const tab = await browser.newPage({ viewport: { width: WIDTH, height: 900 } });
  await tab.goto(pathToFileURL(resolve(page)).href);
  const [top, bottom] = await tab.evaluate(placeOf, title);
  const clip = { x: 0, y: top - MARGIN, width: WIDTH, height: bottom - top + MARGIN };
  const picture = await tab.screenshot({ fullPage: true, clip });
  await sharp(picture).png({ palette: true, colours: 64, dither: 0, compressionLevel: 9 }).toFile(out);
} finally {
  await browser.close();
}

/** From the heading of the section to the next one; runs in the page. */
function placeOf(start: string): [number, number] {
  const headings = [...document.querySelectorAll("h2")];
  const at = headings.findIndex(({ textContent }) => textContent?.startsWith(start));
  if (at < 0) throw new Error(`no section begins with ${start}`);
  const end = headings[at + 1]?.getBoundingClientRect().top ?? document.body.scrollHeight;
  return [headings[at]!.getBoundingClientRect().top + scrollY, end + scrollY];
}
