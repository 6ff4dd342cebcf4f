/** @file A page in Chromium, with WebGPU on a software adapter or without. */
import { type Browser, chromium as launcher, type Page } from "playwright-core";
import { certain } from "../../src/checked.ts";
import { chromium } from "../swiftshader.ts";

export interface OpenedPage extends AsyncDisposable {
  readonly page: Page;
  readonly browser: Browser;
  /** What the console said, and errors that nobody caught. */
  readonly messages: readonly string[];
}

const gpu = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/** Goes to an address and waits until the page has set a global of this name. */
export async function openPage(
  url: string,
  global: string,
  { webgpu }: { readonly webgpu: boolean },
): Promise<OpenedPage> {
  const args = ["--no-sandbox", ...(webgpu ? gpu : ["--disable-gpu", "--disable-features=WebGPU"])];
  const browser = await launcher.launch({ executablePath: certain(chromium), args, timeout: 0 });
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  const messages: string[] = [];
  page.on("console", (message) => messages.push(message.text()));
  const failed = new Promise<never>((_, reject) => {
    page.on("pageerror", (error) => {
      messages.push(error.message);
      reject(new Error(`the page failed: ${error.message}`, { cause: error }));
    });
  });
  failed.catch(() => undefined);
  await page.goto(url);
  await Promise.race([page.waitForFunction(`globalThis.${global}`), failed]);
  return { page, browser, messages, [Symbol.asyncDispose]: () => browser.close() };
}
