import { describe, expect, it } from "vitest";
import { pageOfReport } from "./parse.ts";
import type { TechniqueReport } from "./technique-facts.ts";
import { techniquePage } from "./technique-page.ts";

const model = (name: string, sha256: string) => ({
  ...{ name, sha256, bytes: 4000, nodes: 30, parameters: 900, opset: 21, inputs: ["x"], outputs: ["y"] },
});

const latency = {
  ...{ ep: "cpu", threads: 1, batch: 8, ratio: 2, spread: [1.9, 2.1] as const, verdict: "faster" as const },
  ...{ rounds: 9, inputs: 1, sessions: 3 },
  a: { p50: 2, p95: 2.2, min: 1.9, mean: 2, processor: 2 },
  b: { p50: 1, p95: 1.2, min: 0.9, mean: 1, processor: 1 },
};

const report: TechniqueReport = {
  ...{ schema: 1, kind: "technique", technique: "prune", title: "net", command: "lithe prune", created: "2026-01-01" },
  seed: 7,
  environment: {
    ...{ lithe: "0", node: "20", onnxruntime: "1", os: "Linux", cpu: "a processor", cpuFlags: ["avx2"] },
    ...{ cores: 2, memoryGiB: 8 },
  },
  original: model("net.onnx", "ab"),
  model: model("small.onnx", "cd"),
  data: { source: "rows.csv", calibration: 50, training: 200, verification: 100 },
  settings: [{ name: "ratio", value: "0.5" }],
  comparison: {
    size: { a: 4096, b: 2048, ratio: 2 },
    latency,
    agreement: { n: 100, maxAbs: 0.1, relative: 0.02, cosine: 0.999, top1: 0.98, build: "onnxruntime-node 1.2" },
    accuracy: { a: 0.9, b: 0.8, n: 100 },
  },
  sections: {
    verdict: "12 channels became 9",
    cards: [{ label: "Channels", value: "9", tone: "better", change: "12 → 9", note: "in all" }],
    parts: [
      {
        kind: "table",
        title: "Layers",
        head: ["layer", "channels", "why"],
        rows: [{ cells: ["conv1", 0.125, "small"], isChosen: true }, { cells: ["conv2", null, null] }],
      },
      {
        kind: "chart",
        title: "Accuracy against channels",
        label: "Quality over channels",
        x: "channels",
        y: "accuracy",
        series: [
          {
            name: "plans",
            points: [
              [11, 0.875],
              [9, 0.75],
            ],
          },
          { name: "nothing", points: [[9, Number.NaN]] },
          { name: "result", points: [[9, 0.8]] },
        ],
        empty: "Nothing was measured.",
      },
    ],
    facts: [["layers found", "2"]],
  },
  warnings: [{ code: "W_FEW", message: "few samples" }],
  broken: [],
};

const { accuracy: _, ...withoutAccuracy } = report.comparison;
const unlabelled: TechniqueReport = { ...report, comparison: withoutAccuracy };

const training = {
  ...{ trained: 900, steps: 20, updates: 20, epochs: 2, seconds: 3.4, stoppedEarly: false, monitor: "loss" },
  curve: [
    { step: 1, loss: 2, learningRate: 0.1 },
    { step: 2, loss: 1, learningRate: 0.1 },
  ],
  evaluations: [{ epoch: 1, step: 10, metrics: { loss: 0.5 }, isBest: true }],
};

const cardsOf = (changes: Partial<TechniqueReport>): string[] =>
  [
    ...techniquePage({ ...report, ...changes }).matchAll(
      /<span class="label">([^<]*)<\/span><b class="(\w+)">([^<]*)<\/b>([^<]*)<br><span class="note">([^<]*)/g,
    ),
  ].map(([, ...parts]) => parts.join("; "));

const rowsOf = (page: string): string[] =>
  [...page.matchAll(/<tr( class="\w*")?>(.*?)<\/tr>/g)].map(([, kind = "", row]) =>
    [kind, ...[...row!.matchAll(/<t[hd][^>]*>([^<]*)/g)].map(([, cell]) => cell)].join(" | "),
  );

/** The series of the chart: their names and the values of their marks. */
const seriesOf = (page: string): string[] =>
  page
    .split('<g class="curve ')
    .slice(1)
    .map((series) => [...series.matchAll(/<title>([^<]*)/g)].map(([, title]) => title).join("; "));

describe("the page of a technique", () => {
  it("says what was done and what that does to the answers", () => {
    const verdict = (changes: Partial<TechniqueReport>) =>
      techniquePage({ ...report, ...changes })
        .match(/<div class="verdict (\w+)">([^<]*)/)!
        .slice(1);
    expect(verdict({})).toEqual(["faster", "12 channels became 9: accuracy 90.00 % → 80.00 % on 100 samples."]);
    expect(verdict(unlabelled)).toEqual([
      "faster",
      "12 channels became 9: cosine of the answers 0.999 on 100 samples.",
    ]);
    expect(verdict({ broken: ["too slow", "too large"] })).toEqual([
      "same",
      "12 channels became 9: too slow; too large. The model was not written.",
    ]);
  });

  it("has a card for each figure, those of the technique and of further timings beside them", () => {
    const [own, agreement] = [
      "Channels; better; 9; 12 → 9; in all",
      "Agreement; plain; 98.00 %; same top answer as the original; relative error 0.02, n = 100",
    ];
    const speed = "2.00×; 2.00 ms → 1.00 ms; 95 % interval 1.90× to 2.10×; cpu, 1 thread";
    const size = "Size; better; 2.00×; 4.0 KiB → 2.0 KiB; bytes of the file";
    expect(cardsOf({})).toEqual([
      own,
      "Accuracy; worse; 80.00 %; 90.00 % → 80.00 %; n = 100",
      agreement,
      `Speed in one session; better; ${speed}, batch 8`,
      size,
    ]);
    const speeds = [{ label: "Speed on 3 workers", each: " per worker", latency }];
    expect(cardsOf({ ...unlabelled, sections: { ...report.sections, speeds } })).toEqual([
      own,
      agreement,
      `Speed in one session; better; ${speed}, batch 8`,
      `Speed on 3 workers; better; ${speed} per worker, batch 8`,
      size,
    ]);
    const { top1: _, ...other } = report.comparison.agreement;
    expect(cardsOf({ comparison: { ...report.comparison, agreement: other } })[2]).toBe(
      "Agreement; plain; 0.999; cosine of the outputs; relative error 0.02, n = 100",
    );
  });

  it.each([
    [0.9, 0.8, "worse"],
    [0.8, 0.8, "better"],
    [0.8, 0.9, "better"],
  ])("colours an accuracy that went from %d to %d as %s", (a, b, tone) => {
    const [, card] = cardsOf({ comparison: { ...report.comparison, accuracy: { a, b, n: 10 } } });
    expect(card).toMatch(new RegExp(`^Accuracy; ${tone};`));
  });

  it("draws charts of what has points, and says so where nothing has", () => {
    const page = techniquePage(report);
    expect(page).toContain("<h2>Accuracy against channels</h2>");
    expect(seriesOf(page)).toEqual(["plans; plans: 0.875; plans: 0.75", "result; result: 0.8"]);
    expect(page).toContain('aria-label="Quality over channels"');
    expect(page).not.toContain("nothing</span>");
    const [table, chart] = report.sections.parts;
    const parts = [table!, { ...chart!, series: [] }] as TechniqueReport["sections"]["parts"];
    const empty = techniquePage({ ...report, sections: { ...report.sections, parts } });
    expect(empty).not.toContain("<svg");
    expect(empty).toContain("Nothing was measured.");
  });

  it("shows tables with numbers at the right, and dashes where nothing is", () => {
    const page = techniquePage(report);
    expect(rowsOf(page).slice(0, 3)).toEqual([
      " | layer | channels | why",
      ' class="chosen" | conv1 | 0.125 | small',
      ' class="" | conv2 | – | –',
    ]);
    expect(page).toContain('<th class="number">channels</th>');
    expect(page).toContain('<th class="">why</th>');
  });

  it("tells how it was made", () => {
    const protocol = (changes: Partial<TechniqueReport>) =>
      rowsOf(techniquePage({ ...report, ...changes }).split("How it was made")[1]!);
    expect(protocol({})).toEqual([
      " | layers found | 2",
      " | ratio | 0.5",
      " | samples | 50 to choose, 200 to train, 100 to verify",
      " | recovery | none",
      expect.stringMatching(/latency \| original and result take turns/),
      " | answers | by onnxruntime-node 1.2",
      " | size | 4.0 KiB → 2.0 KiB",
      " | seed | 7",
      " | original | sha256 ab, opset 21, 30 nodes",
      " | result | sha256 cd, opset 21, 30 nodes, small.onnx",
      " | machine | a processor, 2 cores, 8 GiB, Linux; avx2",
      " | versions | lithe 0, ONNX Runtime 1, Node 20",
      " | W_FEW | few samples",
    ]);
    expect(protocol({ training })).toContain(
      " | recovery | distillation from the original, 2 epochs of 200 samples, 3 s",
    );
    const unwritten = protocol({ model: model("small.onnx", "") });
    expect(unwritten).toContain(" | result | opset 21, 30 nodes, small.onnx");
  });

  it("shows the course of a distillation", () => {
    expect(techniquePage(report)).not.toContain("<h2>The loss</h2>");
    expect(techniquePage({ ...report, training })).toContain("<h2>The loss</h2>");
  });

  it("is the same after the report was written and read", () => {
    const speeds = [{ label: "Speed on 3 workers", each: " per worker", latency }];
    const further = { ...report, training, sections: { ...report.sections, speeds } };
    for (const facts of [report, unlabelled, further]) {
      expect(pageOfReport(JSON.stringify(facts), "report.json")).toBe(techniquePage(facts));
    }
  });

  it("keeps what knows no bound out of charts and tables", () => {
    const rows = [{ cells: ["conv1", Number.POSITIVE_INFINITY] }, { cells: ["conv2", 1] }];
    const table = { ...report.sections.parts[0]!, rows } as TechniqueReport["sections"]["parts"][number];
    const facts = { ...report, sections: { ...report.sections, parts: [table] } };
    const page = techniquePage(facts);
    expect(pageOfReport(JSON.stringify(facts), "report.json")).toBe(page);
    expect(page).not.toMatch(/NaN|Infinity/);
  });

  it("lets no name become markup", () => {
    const text = `</title><script>alert(1)</script>"'><img src=x onerror=alert(1)>`;
    const named = (name: string): TechniqueReport => ({
      ...report,
      ...{ title: name, command: name, broken: [name], settings: [{ name, value: name }] },
      original: model(name, name),
      model: model(name, name),
      data: { ...report.data, source: name },
      sections: {
        verdict: name,
        cards: [{ label: name, value: name, tone: "plain", change: name, note: name }],
        parts: [{ kind: "table", title: name, head: [name], rows: [{ cells: [name] }] }],
        facts: [[name, name]],
      },
    });
    expect(techniquePage(named(text)).split("<").length).toBe(techniquePage(named("net")).split("<").length);
  });
});
