import { describe, expect, it } from "vitest";
import type { ParallelReport } from "./parallel-facts.ts";
import { parallelPage } from "./parallel-page.ts";
import { pageOfReport } from "./parse.ts";

const model = (name: string, sha256: string) => ({
  ...{ name, sha256, bytes: 4000, nodes: 30, parameters: 900, opset: 21, inputs: ["x"], outputs: ["y"] },
});

const latency = {
  ...{ ep: "cpu", threads: 1, batch: 8, ratio: 2, spread: [1.9, 2.1] as const, verdict: "faster" as const },
  a: { p50: 2, p95: 2.2, min: 1.9 },
  b: { p50: 1, p95: 1.2, min: 0.9 },
};

const report: ParallelReport = {
  ...{ schema: 1, kind: "parallel", title: "net", command: "lithe parallelize", created: "2026-01-01", seed: 7 },
  environment: {
    ...{ lithe: "0", node: "20", onnxruntime: "1", os: "Linux", cpu: "a processor", cpuFlags: ["avx2"] },
    ...{ cores: 2, memoryGiB: 8 },
  },
  original: model("net.onnx", "ab"),
  result: model("wide.onnx", "cd"),
  data: { source: "rows.csv", selection: 50, training: 200, verification: 100 },
  shape: { branches: 2, group: 1, arrangement: "parallel" },
  runs: [
    { blocks: 8, period: 2 },
    { blocks: 4, period: 1 },
  ],
  depth: { before: 12, after: 9 },
  windows: [
    { place: "run 1, blocks 1 to 2", divergence: 0.125, isParallel: true },
    { place: "run 1, blocks 3 to 4", isParallel: false },
  ],
  curve: [
    { depth: 11, divergence: 0.25, accuracy: 0.875 },
    { depth: 9, divergence: 0.5, accuracy: 0.75 },
  ],
  comparison: {
    size: { a: 4096, b: 2048, ratio: 2 },
    latency,
    agreement: { n: 100, maxAbs: 0.1, relative: 0.02, cosine: 0.999, top1: 0.98, build: "onnxruntime-node 1.2" },
    accuracy: { a: 0.9, b: 0.8, n: 100 },
  },
  training: { epochs: 2, samples: 200, seconds: 3.4, loss: 0.1 },
  broken: [],
};

const { accuracy, ...withoutAccuracy } = report.comparison;

/** The report as it is of samples without labels. */
const unlabelled: ParallelReport = {
  ...report,
  curve: report.curve.map(({ accuracy: _, ...point }) => point),
  comparison: withoutAccuracy,
};

const plans = "the best plan of every depth, before training";

const cardsOf = (changes: Partial<ParallelReport>): string[] =>
  [
    ...parallelPage({ ...report, ...changes }).matchAll(
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

describe("the page of a network made parallel", () => {
  it("says how deep it is now and what that does to the answers", () => {
    const verdict = (changes: Partial<ParallelReport>) =>
      parallelPage({ ...report, ...changes })
        .match(/<div class="verdict (\w+)">([^<]*)/)!
        .slice(1);
    const form = "12 blocks in sequence became 9, 2 branches side by side";
    expect(verdict({})).toEqual(["faster", `${form}: accuracy 90.00 % → 80.00 % on 100 samples.`]);
    expect(verdict(unlabelled)).toEqual(["faster", `${form}: cosine of the answers 0.999 on 100 samples.`]);
    expect(verdict({ broken: ["too slow", "too large"] })).toEqual([
      "same",
      `${form}: too slow; too large. The model was not written.`,
    ]);
  });

  it("has a card for each figure, with accuracy and workers where there are any", () => {
    const [depth, agreement] = [
      "Sequential depth; better; 9; 12 → 9 blocks; on the longest path",
      "Agreement; plain; 98.00 %; same top answer as the original; relative error 0.02, n = 100",
    ];
    const speed = "2.00×; 2.00 ms → 1.00 ms; 95 % interval 1.90× to 2.10×; cpu, 1 thread";
    expect(cardsOf({})).toEqual([
      depth,
      "Accuracy; worse; 80.00 %; 90.00 % → 80.00 %; n = 100",
      agreement,
      `Speed in one session; better; ${speed}, batch 8`,
    ]);
    expect(cardsOf({ ...unlabelled, spread: { ...latency, workers: 3 } })).toEqual([
      depth,
      agreement,
      `Speed in one session; better; ${speed}, batch 8`,
      `Speed on 3 workers; better; ${speed} per worker, batch 8`,
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

  it("draws accuracy over depth, with original and result", () => {
    const page = parallelPage(report);
    expect(page).toContain("<h2>Accuracy against sequential depth</h2>");
    expect(seriesOf(page)).toEqual([
      `${plans}; ${plans}: 0.875; ${plans}: 0.75`,
      "original; original: 0.9",
      "result; result: 0.8",
    ]);
    // x: depths 9 to 12 over 62 to 622.
    expect([...page.matchAll(/<circle cx="([^"]*)"/g)].map(([, x]) => Number(x))).toEqual([435.3, 62, 622, 62]);
    expect(page).toContain(">accuracy</text>");
    expect(page).toContain("on 50 samples that choose");
    expect(page).toContain("result, on 100 other samples");
  });

  it("draws the divergence of plans where accuracies are not known, and no result beside them", () => {
    for (const changes of [unlabelled, { ...unlabelled, comparison: { ...withoutAccuracy, accuracy: accuracy! } }]) {
      const page = parallelPage(changes);
      expect(page).toContain("<h2>Divergence against sequential depth</h2>");
      expect(seriesOf(page)).toEqual([`${plans}; ${plans}: 0.25; ${plans}: 0.5`]);
      expect(page).toContain(">divergence</text>");
      expect(page).not.toContain("other samples");
    }
  });

  it("draws original and result alone where no depths were measured, and nothing without them", () => {
    const page = parallelPage({ ...report, curve: [] });
    expect(seriesOf(page).slice(1)).toEqual(["original; original: 0.9", "result; result: 0.8"]);
    expect(page).not.toContain("samples that choose");
    const empty = parallelPage({ ...unlabelled, curve: [] });
    expect(empty).not.toContain("<svg");
    expect(empty).toContain("No samples were given to measure depths on");
  });

  it("tells what each part costs and which are parallel now", () => {
    expect(rowsOf(parallelPage(report)).slice(0, 3)).toEqual([
      " | part | divergence alone | now",
      ' class="chosen" | run 1, blocks 1 to 2 | 0.125 | parallel',
      ' class="" | run 1, blocks 3 to 4 | – | –',
    ]);
  });

  it("tells how it was made", () => {
    const protocol = (changes: Partial<ParallelReport>) =>
      rowsOf(parallelPage({ ...report, ...changes }).split("How it was made")[1]!);
    expect(protocol({})).toEqual([
      " | blocks found | 8 of 2 residual steps; 4 of 1 residual steps",
      " | arrangement | parallel, 2 branches of 1 blocks",
      " | samples | 50 to choose, 200 to train, 100 to verify",
      " | recovery | distillation from the original, 2 epochs of 200 samples, 3 s",
      expect.stringMatching(/latency \| original and result take turns/),
      " | answers | by onnxruntime-node 1.2",
      " | size | 4.0 KiB → 2.0 KiB",
      " | seed | 7",
      " | original | sha256 ab, opset 21, 30 nodes",
      " | result | sha256 cd, opset 21, 30 nodes, wide.onnx",
      " | machine | a processor, 2 cores, 8 GiB, Linux; avx2",
      " | versions | lithe 0, ONNX Runtime 1, Node 20",
    ]);
    const { training: _, ...untrained } = report;
    expect(rowsOf(parallelPage(untrained))).toContain(" | recovery | none");
  });

  it("is the same after the report was written and read", () => {
    for (const facts of [report, unlabelled, { ...report, spread: { ...latency, workers: 3 } }]) {
      expect(pageOfReport(JSON.stringify(facts), "report.json")).toBe(parallelPage(facts));
    }
  });

  it("keeps divergences that know no bound, in its table and out of its chart", () => {
    const curve = [
      { depth: 4, divergence: Number.POSITIVE_INFINITY },
      { depth: 6, divergence: 0.25 },
    ];
    const windows = [{ place: "run 1, blocks 1 to 2", divergence: Number.POSITIVE_INFINITY, isParallel: false }];
    const facts = { ...unlabelled, curve, windows };
    const page = pageOfReport(JSON.stringify(facts), "report.json");
    expect(page).toBe(parallelPage(facts));
    expect(seriesOf(page)).toEqual([`${plans}; ${plans}: 0.25`]);
    expect(rowsOf(page)[1]).toBe(' class="" | run 1, blocks 1 to 2 | Infinity | –');
    expect(page).not.toMatch(/NaN|"Infinity/);
  });

  it("lets no name become markup", () => {
    const text = `</title><script>alert(1)</script>"'><img src=x onerror=alert(1)>`;
    const named = (name: string): ParallelReport => ({
      ...report,
      ...{ title: name, command: name, broken: [name] },
      original: model(name, name),
      result: model(name, name),
      data: { ...report.data, source: name },
      shape: { ...report.shape, arrangement: name },
      windows: [{ place: name, isParallel: false }],
    });
    expect(parallelPage(named(text)).split("<").length).toBe(parallelPage(named("net")).split("<").length);
  });
});
