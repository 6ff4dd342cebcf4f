import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError } from "../errors.ts";
import type { CandidateFacts, JobReport } from "./facts.ts";
import { html } from "./markup.ts";
import { reportPage } from "./page.ts";
import { pageOfReport, parseReport } from "./parse.ts";
import { niceTicks } from "./scale.ts";
import { type Rectangle, squarify, treemap } from "./treemap.ts";

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

/** The rows of the tables of a page, as the texts of their cells. */
const rowsOf = (page: string): string[] =>
  [...page.matchAll(/<tr[\s\S]*?<\/tr>/g)].map(([row]) =>
    [...row.matchAll(/<t[hd][^>]*>([\s\S]*?)<\/t[hd]>/g)].map(([, cell]) => cell).join(" | "),
  );

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

  it("compares answers by their cosine where there are no classes", () => {
    const facts = report("model.onnx");
    const card = (page: string) => page.match(/Agreement<\/span><b class="\w+">([^<]*)<\/b>([^<]*)/)!.slice(1);
    expect(card(reportPage(facts))).toEqual(["98.00 %", "same top answer as the original"]);
    const { top1: _, ...agreement } = facts.chosen.agreement;
    const page = reportPage({ ...facts, chosen: { ...facts.chosen, agreement } });
    expect(card(page)).toEqual(["0.999", "cosine of the outputs"]);
  });

  it("lists the twenty largest tensors of the result", () => {
    const facts = report("model.onnx");
    const tensor = (i: number) => ({ name: `t${i}`, opType: "Conv", dtype: "int8", bytes: i });
    const after = Array.from({ length: 21 }, (_, i) => tensor(i + 1));
    const [, list] = reportPage({ ...facts, sizes: { ...facts.sizes, after } }).split("The largest tensors");
    const rows = rowsOf(list!.split("</table>")[0]!).slice(1);
    expect(rows).toEqual(Array.from({ length: 20 }, (_, i) => `t${21 - i} | Conv | int8 | ${21 - i} B`));
  });

  it("says what other providers answered", () => {
    const facts = report("model.onnx");
    const { agreement } = blocks;
    const page = reportPage({
      ...facts,
      providers: [
        { ep: "webgpu", build: "onnxruntime-web 1.2", status: "agrees", reason: "as close", agreement },
        { ep: "coreml", status: "not available", reason: "another system" },
      ],
    });
    expect(rowsOf(page)).toContain("webgpu (onnxruntime-web 1.2) | agrees | 0.999 | 0.1 | as close");
    expect(rowsOf(page)).toContain("coreml | not available | – | – | another system");
    expect(page).not.toContain("No other execution provider");
    expect(reportPage({ ...facts, providers: [] })).toContain("No other execution provider was asked for");
  });

  it("tells how it was measured, on what, and what to mind", () => {
    const facts = report("net");
    const protocol = (changes: Partial<JobReport>) =>
      rowsOf(reportPage({ ...facts, ...changes }).split("How it was measured")[1]!);
    const samples = (changes: Partial<JobReport["data"]>) =>
      protocol({ data: { ...facts.data, ...changes } }).find((row) => row.startsWith("samples"));
    expect(protocol({})).toEqual([
      "samples | 1 to calibrate, 2 to choose, 3 to verify; no sample serves twice; no labels",
      expect.stringMatching(/^latency \| original and candidate run in every round/),
      "answers | by net 1.0",
      "machine | net, 2 cores, 8 GiB, net; net",
      "versions | lithe 0, ONNX Runtime 1, Node 20",
      "seed | 1",
      "original | sha256 ab, opset 21, 3 nodes",
      "result | sha256 ab, opset 21, 3 nodes, net",
      "net | net",
      "stage | time | notes",
      "net | 10.0 ms | net<br>",
    ]);
    expect(samples({ labels: true })).toMatch(/no sample serves twice$/);
    expect(samples({ disjoint: false })).toContain("too few to keep choosing and verifying apart");
    expect(samples({ of: { selection: 2, verification: 9 } })).toContain("2 to choose, 3 of 9 to verify");
    const { latency } = facts.chosen;
    const busy = { ...facts.chosen, latency: { ...latency, a: { ...latency.a, mean: 2, processor: 1 } } };
    expect(protocol({ chosen: busy }).find((row) => row.startsWith("noise"))).toMatch(/waited 50 % of their time/);
  });

  it("leaves out what there is nothing of", () => {
    const facts = report("model.onnx");
    expect(reportPage(facts)).toContain("Which layers suffer");
    expect(reportPage({ ...facts, sensitivity: [] })).not.toContain("Which layers suffer");
    expect(reportPage(facts)).toContain("1.00 M multiply-accumulates");
    const { macs: _, ...model } = facts.model;
    expect(reportPage({ ...facts, model })).not.toContain("multiply-accumulates");
  });

  it("colours the verdict by whether it is faster", () => {
    const facts = report("model.onnx");
    expect(reportPage(facts)).toContain('<div class="verdict faster">model.onnx</div>');
    const same = { faster: false, sentence: "nothing gained" };
    expect(reportPage({ ...facts, verdict: same })).toContain('<div class="verdict same">nothing gained</div>');
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
    expect(pageOfReport(JSON.stringify(facts), "report.json")).toBe(reportPage(facts));
  });

  it.each(["faster", "slower", "same", "unclear"] as const)("may find the result %s", (verdict) => {
    const facts = report("model.onnx");
    const judged = { ...facts, chosen: { ...facts.chosen, latency: { ...facts.chosen.latency, verdict } } };
    expect(parseReport(JSON.stringify(judged), "report.json")).toEqual(judged);
  });

  it.each(["agrees", "differs", "failed", "not available"] as const)("may say of a provider: %s", (status) => {
    const facts = { ...report("model.onnx"), providers: [{ ep: "webgpu", status, reason: "why" }] };
    expect(parseReport(JSON.stringify(facts), "report.json")).toEqual(facts);
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
    expect(() => pageOfReport(text, "report.json")).toThrow(reason);
  });

  it.each(["null", "3", "{}", '{ "kind": "training" }', '{ "kind": "parallel" }'])(
    "has no page when it is something else: %s",
    (text) => {
      expect(() => pageOfReport(text, "report.json")).toThrow(FormatError);
    },
  );
});

describe("candidates that were measured", () => {
  const facts = report("model.onnx");
  const row = (changes: Partial<CandidateFacts>) => {
    const candidate = { ...blocks, form: "int8", accepted: false, reason: "why", onFront: false, ...changes };
    const page = reportPage({ ...facts, candidates: [candidate] });
    return page.match(/<tr class="(\w+)">(.*\s*.*\s*.*?)<\/tr>/)!;
  };
  const cells = (changes: Partial<CandidateFacts>) => rowsOf(row(changes)[0]).join();

  it("are in a table with their figures and what came of them", () => {
    expect(cells({})).toBe("int8 | 2.00× | 4.00× | 2.00 % | 98.00 % | rejected: why");
    expect(cells({ accepted: true })).toMatch(/accepted: why$/);
    expect(cells({ form: facts.chosen.form, accepted: true })).toMatch(/chosen: why$/);
    const kinds = [{}, { accepted: true }, { form: facts.chosen.form, accepted: true }].map((it) => row(it)[1]);
    expect(kinds).toEqual(["refused", "accepted", "chosen"]);
  });

  it("have a dash for what was not found out, and a cosine where there are no classes", () => {
    const { size: _, agreement: __, ...timed } = blocks;
    const candidate = { ...timed, form: "int8", accepted: false, reason: "why", onFront: false };
    const page = reportPage({ ...facts, candidates: [candidate] });
    expect(rowsOf(page)).toContain("int8 | 2.00× | – | – | – | rejected: why");
    const { top1: ___, ...agreement } = blocks.agreement;
    expect(cells({ agreement })).toBe("int8 | 2.00× | 4.00× | 0.10 % | 0.999 | rejected: why");
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
    expect(reportPage({ ...facts, candidates: [failed, failed] })).toContain("2 forms were not measured");
    expect(rowsOf(reportPage({ ...facts, candidates: [failed] })).join()).not.toContain("speed");
  });

  it("show reasons of up to 160 letters whole", () => {
    const shown = (reason: string) => reportPage({ ...facts, candidates: [{ ...failed, reason }] });
    const words = "a word ".repeat(30).slice(0, 160);
    expect(shown(words)).toContain(`<td>${words}</td>`);
    expect(shown(`${words}s`)).toContain(`<summary>${words.slice(0, 118)} …</summary>${words}s</details>`);
  });
});

describe("markup", () => {
  it("nests without escaping twice and leaves out what is absent", () => {
    expect(html`<b>${html`<i>${"a&b"}</i>`}${undefined}${false}${[1, html`<u></u>`]}</b>`.markup).toBe(
      "<b><i>a&#38;b</i>1<u></u></b>",
    );
  });
});

/** The smaller side of what two rectangles share, or less than 0 where they are apart. */
function overlap(a: Rectangle, b: Rectangle): number {
  const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return Math.min(across, down);
}

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
          expect(Math.min(x, y)).toBeGreaterThanOrEqual(-1e-6);
          for (const other of places.slice(0, i)) expect(overlap(places[i]!, other)).toBeLessThanOrEqual(1e-6);
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

  const tiles = (entries: Parameters<typeof treemap>[0], width = 100, height = 100) =>
    treemap(entries, { width, height }, "").markup;
  const tensor = (bytes: number, dtype = "float32", name = "weight") => ({ name, opType: "Conv", dtype, bytes });

  it("draws the 120 largest tensors, and the others as one", () => {
    const many = (count: number) =>
      [...tiles(Array.from({ length: count }, (_, i) => tensor(i + 1))).matchAll(/<title>([^<]*)/g)].map(
        ([, title]) => title!,
      );
    expect(many(120)).toHaveLength(120);
    expect(many(121).at(-1)).toMatch(/^weight/);
    const titles = many(122);
    expect(titles).toHaveLength(121);
    expect(titles.at(-1)).toMatch(/^2 smaller tensors .*: 3 B, 0.0 %$/);
    expect(tiles([])).not.toContain("tile");
  });

  it("colours tensors by the bits of their elements", () => {
    const tone = (dtype: string) => tiles([tensor(1, dtype)]).match(/tile (\w+)/)![1];
    for (const wide of ["float32", "float64"]) expect(tone(wide)).toBe("wide");
    for (const half of ["float16", "bfloat16", "int32"]) expect(tone(half)).toBe("half");
    for (const narrow of ["int8", "uint8", "int4"]) expect(tone(narrow)).toBe("narrow");
    expect(tone("")).toBe("rest");
  });

  it("names the tensors that have room for it, by the end of what they are called", () => {
    const texts = (width: number, height: number, name = "weight") =>
      [...tiles([tensor(1, "int8", name)], width, height).matchAll(/<text[^>]*>([^<]*)/g)].map(([, text]) => text);
    expect(texts(55, 27)).toEqual(["weight", "1 B"]);
    expect(texts(54, 27)).toEqual([]);
    expect(texts(55, 26)).toEqual([]);
    // 64 / 6.4 − 1 = 9 letters.
    expect(texts(64, 64, "123456789_quantized")[0]).toBe("123456789");
    expect(texts(64, 64, "1234567890")[0]).toBe("…34567890");
  });

  it("puts round ticks inside the domain", () => {
    expect(niceTicks([0, 2.3], 5)).toEqual([0, 0.5, 1, 1.5, 2]);
    expect(niceTicks([1, 1], 5)).toEqual([1]);
  });
});
