import { describe, expect, it } from "vitest";
import { pageOfReport, parseTrainingReport } from "./parse.ts";
import { trainingCurve } from "./training-events.ts";
import type { TrainingReport } from "./training-facts.ts";
import { trainingPage } from "./training-page.ts";

function report(text: string): TrainingReport {
  const environment = { lithe: "0", node: "20", onnxruntime: "1", os: text, cpu: text, cpuFlags: [text], cores: 2 };
  return {
    schema: 1,
    kind: "training",
    title: text,
    command: text,
    created: "2026-01-01",
    seed: 1,
    environment: { ...environment, memoryGiB: 8 },
    model: {
      name: text,
      sha256: "ab",
      bytes: 4,
      nodes: 3,
      parameters: 900,
      opset: 21,
      inputs: [text],
      outputs: [text],
    },
    data: { source: text, training: 100, validation: 20 },
    settings: [{ name: text, value: text }],
    trained: 300,
    steps: 4,
    updates: 4,
    epochs: 2,
    seconds: 3,
    stoppedEarly: false,
    restoredBest: false,
    monitor: "loss",
    curve: [4, 3, 2, 1.5].map((loss, i) => ({ step: i + 1, loss, learningRate: 0.1 })),
    evaluations: [
      { epoch: 1, step: 2, metrics: { loss: 2.5, accuracy: 0.625, [text]: Number.NaN }, isBest: true },
      { epoch: 2, step: 4, metrics: { loss: 2.6, accuracy: 0.5, [text]: 1 }, isBest: false },
    ],
    notes: [text],
  };
}

const hostile = `</title><script>alert(1)</script>"'><img src=x onerror=alert(1)>`;

describe("the page of a training run", () => {
  it("shows the model that was handed out, and which evaluation was best", () => {
    const page = trainingPage(report("net"));
    expect(page).toContain("50.00 %");
    expect(page).toContain("Best loss 2.5 after epoch 1");
    expect(page).toContain("The model is that of the last epoch");
    expect(trainingPage({ ...report("net"), restoredBest: true })).toMatch(/<b class="better">62.50 %/);
    expect(page.match(/<svg/g)).toHaveLength(4);
    expect(trainingPage({ ...report("net"), evaluations: [] })).toContain("nothing is known about others");
  });

  it("lets no name become markup", () => {
    const [plain, page] = [trainingPage(report("net")), trainingPage(report(hostile))];
    expect(page.split("<").length).toBe(plain.split("<").length);
    expect(page).not.toContain("<script");
  });

  it("is the same after the report was written and read", () => {
    const text = JSON.stringify(report("net"));
    expect(trainingPage(parseTrainingReport(text, "report.json"))).toBe(trainingPage(report("net")));
    expect(pageOfReport(text, "report.json")).toBe(trainingPage(report("net")));
    expect(() => parseTrainingReport("{}", "report.json")).toThrow(/report.json/);
  });
});

describe("the curve", () => {
  const line = (step: number, loss: unknown) => JSON.stringify({ t: 1, type: "step", step, loss, learningRate: 0.1 });

  it("takes the last record of a batch and passes over what is none", () => {
    const lines = [
      line(1, 5),
      '{"type":"start"}',
      line(2, 4),
      line(2, 3),
      line(3, null),
      '{"type":"step","step":4',
      "",
    ];
    expect(trainingCurve(lines.join("\n")).map(({ step, loss }) => [step, loss])).toEqual([
      [1, 5],
      [2, 3],
    ]);
  });

  it("has at most 600 points, whose losses are means", () => {
    const curve = trainingCurve(Array.from({ length: 1500 }, (_, i) => line(i + 1, i)).join("\n"));
    expect(curve).toHaveLength(500);
    expect(curve[0]).toEqual({ step: 3, loss: 1, learningRate: 0.1 });
    expect(trainingCurve("")).toEqual([]);
  });
});
