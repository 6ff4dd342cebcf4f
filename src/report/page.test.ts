import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JobReport } from "./facts.ts";
import { html } from "./markup.ts";
import { reportPage } from "./page.ts";
import { parseReport } from "./parse.ts";
import { niceTicks } from "./scale.ts";
import { squarify, treemap } from "./treemap.ts";

const blocks = {
  size: { a: 4000, b: 1000, ratio: 4 },
  latency: {
    ep: "cpu",
    threads: 1,
    batch: 1,
    a: { p50: 2, p95: 2.2, min: 1.9 },
    b: { p50: 1, p95: 1.2, min: 0.9 },
    ratio: 2,
    spread: [1.9, 2.1] as const,
  },
  agreement: { n: 100, maxAbs: 0.1, relative: 0.02, cosine: 0.999, top1: 0.98 },
};

function report(name: string): JobReport {
  const model = {
    name,
    sha256: "ab",
    bytes: 4000,
    nodes: 3,
    parameters: 900,
    macs: 1e6,
    opset: 21,
    inputs: [name],
    outputs: [name],
  };
  const entry = { name, opType: name, dtype: name, bytes: 4000 };
  return {
    schema: 1,
    title: name,
    command: name,
    created: "2026-01-01",
    seed: 1,
    environment: {
      lithe: "0",
      node: "20",
      onnxruntime: "1",
      os: name,
      cpu: name,
      cpuFlags: [name],
      cores: 2,
      memoryGiB: 8,
    },
    model,
    data: { source: name, calibration: 1, selection: 2, verification: 3, disjoint: true, labels: false },
    bound: { maxDrop: 0.01, measure: name, goal: name, budgetSeconds: 60 },
    verdict: { faster: true, sentence: name },
    chosen: { ...blocks, agreement: { ...blocks.agreement, build: `${name} 1.0` }, form: name, file: name, model },
    candidates: [{ ...blocks, form: name, accepted: true, reason: name, onFront: true }],
    sizes: { before: [entry], after: [entry] },
    sensitivity: [{ node: name, opType: name, divergence: 0.1, keptFloat: true }],
    providers: [{ ep: name, status: "agrees", reason: name, agreement: blocks.agreement }],
    stages: [{ name, milliseconds: 10, notes: [name] }],
    warnings: [{ code: name, message: name }],
  };
}

const tags = (page: string): number => page.split("<").length;

describe("the report page", () => {
  it("shows figures and asks for nothing", () => {
    const page = reportPage(report("model.onnx"));
    expect(page).toContain("2.00×");
    expect(page).toContain("by model.onnx 1.0");
    expect(page).toContain("default-src &#39;none&#39;");
    expect(page).not.toMatch(/<script|https?:|url\(|@import/);
  });

  it("says of every figure whether it is better or worse than that of the original", () => {
    const facts = report("model.onnx");
    const tones = (ratio: number, a: number, b: number) => {
      const { size, latency } = facts.chosen;
      const changed = {
        size: { ...size, ratio },
        latency: { ...latency, ratio },
        accuracy: { a, b, n: 40, interval: [0, 0.1] as const },
      };
      const page = reportPage({ ...facts, chosen: { ...facts.chosen, ...changed } });
      return [...page.matchAll(/<b class="(\w+)">([^<]*)/g)].slice(0, 3).map(([, tone, value]) => `${value} ${tone}`);
    };
    expect(tones(2, 0.75, 0.8)).toEqual(["2.00× better", "2.00× better", "80.00 % better"]);
    expect(tones(0.5, 0.8, 0.75)).toEqual(["0.50× worse", "0.50× worse", "75.00 % worse"]);
    expect(tones(1, 0.8, 0.8)).toEqual(["1.00× worse", "1.00× worse", "80.00 % better"]);
  });

  it("draws the tensors of the result at the scale of the original's", () => {
    const facts = report("model.onnx");
    const [entry] = facts.sizes.after;
    // A quarter of the bytes is a quarter of the area, so half of the width.
    const page = reportPage({ ...facts, sizes: { before: facts.sizes.before, after: [{ ...entry!, bytes: 1000 }] } });
    expect(page).toContain('<div style="width:50%">');
    expect(page.match(/viewBox="0 0 (240 150|480 300)"/g)).toHaveLength(2);
  });

  it("escapes names wherever they stand", () => {
    const page = reportPage(report(`"><img src=x onerror=alert(1)></style></script>'\u001b[2J`));
    expect(page).not.toContain("<img");
    expect(page).not.toContain("\u001b");
    expect(page.match(/<\/style>/g)).toHaveLength(1);
  });

  it("has the same elements whatever the names are", () => {
    const plain = tags(reportPage(report("abcdefgh")));
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 8, maxLength: 8 }), (name) => {
        expect(tags(reportPage(report(name)))).toBe(plain);
      }),
    );
  });
});

describe("a written report", () => {
  it("is read back as it was, and makes the same page", () => {
    const facts = report("model.onnx");
    const read = parseReport(JSON.stringify(facts), "report.json");
    expect(read).toEqual(facts);
    expect(reportPage(read)).toBe(reportPage(facts));
  });

  it("keeps distances that are infinite", () => {
    const facts = report("model.onnx");
    const agreement = { ...facts.chosen.agreement, relative: Number.POSITIVE_INFINITY };
    const infinite: JobReport = { ...facts, chosen: { ...facts.chosen, agreement } };
    expect(parseReport(JSON.stringify(infinite), "report.json")).toEqual(infinite);
  });

  it.each([
    ["not json", "not JSON"],
    ["[]", "fields that it should"],
    [JSON.stringify({ ...report("m"), seed: "one" }), "seed"],
  ])("is refused when it is something else: %.20s", (text, reason) => {
    expect(() => parseReport(text, "report.json")).toThrow(reason);
  });
});

describe("candidates that were not measured", () => {
  const facts = report("model.onnx");
  const failed = {
    form: "float16",
    accepted: false,
    onFront: false,
    reason: `the runtime refused it: ${"why ".repeat(90)}`,
  };

  it("are folded away with their long reasons", () => {
    const page = reportPage({ ...facts, candidates: [...facts.candidates, failed] });
    const [, folded] = page.split("1 form was not measured");
    expect(folded).toContain("float16");
    expect(folded).toMatch(/<summary>the runtime refused it: [^<]{80,130} …<\/summary>/);
    expect(reportPage(facts)).not.toContain("not measured");
  });
});

describe("markup", () => {
  it("nests without escaping twice and leaves out what is absent", () => {
    expect(html`<b>${html`<i>${"a&b"}</i>`}${undefined}${false}${[1, html`<u></u>`]}</b>`.markup).toBe(
      "<b><i>a&#38;b</i>1<u></u></b>",
    );
  });
});

describe("charts", () => {
  it("fills the area of a treemap exactly, in proportion", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 1, maxLength: 40 }), (sizes) => {
        const sorted = sizes.sort((a, b) => b - a);
        const total = sorted.reduce((sum, size) => sum + size, 0);
        const places = squarify(sorted, { x: 0, y: 0, width: 480, height: 300 });
        expect(places).toHaveLength(sorted.length);
        places.forEach(({ x, y, width, height }, i) => {
          expect(width * height).toBeCloseTo((sorted[i]! / total) * 480 * 300, 4);
          expect(x + width).toBeLessThanOrEqual(480 + 1e-6);
          expect(y + height).toBeLessThanOrEqual(300 + 1e-6);
        });
      }),
    );
  });

  it("draws the largest tensors first, each with its share of the bytes", () => {
    const entry = (name: string, bytes: number) => ({ name, opType: "Conv", dtype: "float32", bytes });
    const { markup } = treemap([entry("a", 100), entry("b", 300), entry("none", 0)], { width: 40, height: 10 }, "");
    const titles = [...markup.matchAll(/<title>([^<]*)/g)].map(([, title]) => title);
    expect(titles).toEqual(["b (Conv, float32): 300 B, 75.0 %", "a (Conv, float32): 100 B, 25.0 %"]);
    const places = [...markup.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/g)];
    expect(places.map(([, ...numbers]) => numbers.map(Number))).toEqual([
      [0, 0, 30, 10],
      [30, 0, 10, 10],
    ]);
  });

  it("puts round ticks inside the domain", () => {
    expect(niceTicks([0, 2.3], 5)).toEqual([0, 0.5, 1, 1.5, 2]);
    expect(niceTicks([1, 1], 5)).toEqual([1]);
  });
});
