import { expect, it, vi } from "vitest";
import { useOwnCache } from "../../test/own-cache.ts";
import { knownFormTable } from "../job/forms/form-cache.ts";
import { probeForms } from "../quantize/index.ts";
import { probeAndKeep } from "./form-probe.ts";

vi.mock("../quantize/index.ts", async (original) => ({ ...(await original<object>()), probeForms: vi.fn() }));

useOwnCache();

it("the table of forms is shown and kept", async () => {
  const entries = [
    { product: "MatMul", form: "int8", ratio: 1.5, spread: [1.25, 1.75] },
    { product: "Conv", form: "float16", reason: "no kernel" },
  ];
  const forms = { ep: "cpu", threads: 1, entries } as unknown as Awaited<ReturnType<typeof probeForms>>;
  vi.mocked(probeForms).mockResolvedValue(forms);
  const said: string[] = [];
  const console = {
    signal: new AbortController().signal,
    progress: () => undefined,
    say: (x: string) => void said.push(x),
  };
  expect(await probeAndKeep("cpu", 1, { ...console, json: false })).toBe(forms);
  expect(said.slice(0, -1)).toEqual([
    "",
    "product  form     against float32  quartiles",
    "MatMul   int8     1.50×            1.25 to 1.75",
    "Conv     float16  –                no kernel",
  ]);
  expect(said.at(-1)).toMatch(/^kept in .*lithe/);
  expect(await knownFormTable("cpu", 1)).toEqual(forms);
  said.length = 0;
  await probeAndKeep("cpu", 1, { ...console, json: true });
  expect(said).toEqual([]);
});
