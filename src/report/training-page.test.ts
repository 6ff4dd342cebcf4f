import { describe, expect, it } from "vitest";
import { heatMap } from "./heat-map.ts";
import { pageOfReport, parseTrainingReport } from "./parse.ts";
import { trainingCurve, trainingMeasurements } from "./training-events.ts";
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
    measured: [1, 2].map((epoch) => ({
      epoch,
      probe: text,
      measurements: [
        { subject: text, name: text, values: [0.75, epoch === 1 ? Number.NaN : 0.25], row: text },
        { subject: text, name: `${text} churn`, values: [epoch / 8] },
      ],
    })),
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
    expect(page.match(/<svg/g)).toHaveLength(5);
    expect(trainingPage({ ...report("net"), evaluations: [] })).toContain("nothing is known about others");
  });

  it("says how long it took, how fast it went and what was trained", () => {
    const cards = (changes: Partial<TrainingReport>) => {
      const page = trainingPage({ ...report("net"), ...changes });
      return [...page.matchAll(/<b class="\w+">([^<]*)<\/b>([^<]*)<br><span class="note">([^<]*)/g)].map(
        ([, ...parts]) => parts.join("; "),
      );
    };
    // 100 samples twice in 4 s, and in 120 s.
    expect(cards({ seconds: 4 })[3]).toMatch(/^4\.0 s; 50 samples\/s;/);
    expect(cards({ seconds: 120 })[3]).toMatch(/^2\.0 min; 2 samples\/s;/);
    expect(cards({})[1]).toBe("1.5; from 4; 4 batches");
    expect(cards({})[2]).toBe("300; of 900 parameters; the rest stayed as it was");
    expect(cards({ trained: 900 })[2]).toBe("900; of 900 parameters; all of them");
    expect(cards({})[0]).toBe("50.00 %; after epoch 2; n = 20, held out");
    expect(cards({ restoredBest: true })[0]).toBe("62.50 %; after epoch 1; n = 20, held out");
    const labels = [...trainingPage(report("net")).matchAll(/<span class="label">([^<]*)/g)].map(([, text]) => text);
    expect(labels).toEqual(["accuracy", "Training loss", "Trained", "Time"]);
    // Of three evaluations the last one, and without a metric the loss.
    const third = { epoch: 3, step: 6, metrics: { loss: 2.25 }, isBest: false };
    expect(cards({ evaluations: [...report("net").evaluations, third] })[0]).toBe(
      "2.25; after epoch 3; n = 20, held out",
    );
    expect(cards({ evaluations: [], curve: [] }).map((text) => text.split(";")[0])).toEqual(["300", "3.0 s"]);
    expect(cards({ seconds: 89.9 })[3]).toMatch(/^89\.9 s;/);
    expect(cards({ seconds: 90 })[3]).toMatch(/^1\.5 min;/);
  });

  it("counts epochs, and says when the run was ended early", () => {
    const verdict = (changes: Partial<TrainingReport>) =>
      trainingPage({ ...report("net"), ...changes }).match(/<div class="verdict">([^<]*)/)![1];
    expect(verdict({ epochs: 1 })).toMatch(/^1 epoch, 4 updates\. /);
    expect(verdict({})).toBe(
      "2 epochs, 4 updates. Best loss 2.5 after epoch 1, on 20 samples that were not trained on. The model is that of the last epoch.",
    );
    expect(verdict({ stoppedEarly: true, restoredBest: true })).toMatch(
      /^2 epochs, 4 updates; it was ended early\. .*That is the model\.$/,
    );
  });

  it("draws each batch and a running mean, corrected for its start", () => {
    const curves = (length: number) => {
      const curve = Array.from({ length }, (_, i) => ({ step: i, loss: i === 0 ? 0 : 1, learningRate: 0.1 }));
      const page = trainingPage({ ...report("net"), curve, evaluations: [] });
      return [...page.matchAll(/<g class="curve (\w+ \w+)"><title>([^<]*)<\/title><path d="([^"]*)"/g)].map(
        ([, kind, name, path]) => ({
          kind,
          name,
          heights: path!.split(/[ML ]/).filter((_, i) => i > 0 && i % 2 === 0),
        }),
      );
    };
    const [each, mean, , rate] = curves(60);
    expect([each, mean, rate].map((curve) => `${curve!.kind}: ${curve!.name}`)).toEqual([
      "soft c0: training loss",
      "line c1: training loss, smoothed",
      "line c0: learning rate",
    ]);
    // 0 to 1 with 0.06 of room over 218 to 14. Of 60 batches half is kept: 0, 1 / 1.5, 1.5 / 1.75.
    expect(each!.heights.slice(0, 3)).toEqual(["207.1", "24.9", "24.9"]);
    expect(mean!.heights.slice(0, 3)).toEqual(["207.1", "85.6", "50.9"]);
    // Of up to 30 nothing is.
    const [few, same] = curves(30);
    expect(same!.heights).toEqual(few!.heights);
  });

  it("draws the losses and the metrics of evaluations where they are known", () => {
    const page = trainingPage(report("net"));
    const marks = (title: string) =>
      [...page.matchAll(new RegExp(`<circle cx="([^"]*)"[^>]*><title>${title}: ([^<]*)`, "g"))].map(
        ([, ...mark]) => mark,
      );
    // Batches 1 to 4 over 62 to 622.
    expect(marks("validation loss")).toEqual([
      ["248.7", "2.5"],
      ["622", "2.6"],
    ]);
    expect(marks("accuracy").map(([, value]) => value)).toEqual(["0.625", "0.5"]);
    expect(marks("net").map(([, value]) => value)).toEqual(["1"]);
    expect([...page.matchAll(/<h2>([^<]*)/g)].map(([, title]) => title).slice(0, 5)).toEqual([
      "The loss",
      "accuracy",
      "net",
      "The learning rate",
      "Evaluations",
    ]);
  });

  const rowsOf = (page: string): string[] =>
    [...page.matchAll(/<tr( class="\w*")?>(.*?)<\/tr>/g)].map(([, kind = "", row]) =>
      [kind, ...[...row!.matchAll(/<t[hd][^>]*>([^<]*)/g)].map(([, cell]) => cell)].join(" | "),
    );

  it("lists the evaluations, with shares in percent and the best one marked", () => {
    const [, table] = trainingPage(report("net")).split("<h2>Evaluations</h2>");
    expect(rowsOf(table!.split("</table>")[0]!)).toEqual([
      " | epoch | loss | accuracy | net",
      ' class="chosen" | 1 (best) | 2.5 | 62.50 % | –',
      ' class="" | 2 | 2.6 | 50.00 % | 1',
    ]);
    expect(trainingPage({ ...report("net"), evaluations: [] })).not.toContain("Evaluations");
  });

  it("tells how it was trained, and what to mind", () => {
    const page = trainingPage({ ...report("net"), settings: [{ name: "optimizer", value: "adam" }] });
    expect(rowsOf(page.split("How it was trained")[1]!)).toEqual([
      " | optimizer | adam",
      " | samples | 100 to train on, 20 held out",
      " | seed | 1",
      " | result | net, sha256 ab, opset 21, 3 nodes",
      " | machine | net, 2 cores, 8 GiB, net; net",
      " | versions | lithe 0, ONNX Runtime 1, Node 20",
    ]);
    expect(page).toContain("<ul><li>net</li></ul>");
    const bare = trainingPage({ ...report("net"), notes: [] });
    expect(bare).not.toContain("<ul>");
    expect(bare).not.toContain("true");
  });

  it("shows what probes measured as a map over the evaluations, and in figures", () => {
    const page = trainingPage(report("net"));
    const map = page.match(/<svg class="heat"[\s\S]*?<\/svg>/)![0];
    expect(map).toContain('aria-label="net of each net at every evaluation, net: net"');
    expect([...map.matchAll(/<title>(.*?)<\/title>/g)].map(([, text]) => text)).toEqual([
      "1, net 0: 0.75",
      "1, net 1: –",
      "2, net 0: 0.75",
      "2, net 1: 0.25",
    ]);
    expect(map.match(/fill-opacity="1"/g)).toHaveLength(3);
    expect(page).toMatch(
      /net churn[\s\S]*<td>1<\/td><td class="number">0.125<\/td>[\s\S]*<td class="number">0.25<\/td>/,
    );
    const { measured: _, ...bare } = report("net");
    expect(trainingPage(bare)).not.toContain('heat"');
  });

  it("tables single numbers by epoch, with a dash for what an evaluation has not", () => {
    const number = (name: string, value: number) => ({ subject: "layer", name, values: [value] });
    const measured = [
      { epoch: 1, probe: "load", measurements: [number("entropy", 0.5)] },
      { epoch: 3, probe: "load", measurements: [number("entropy", 0.25), number("churn", Number.NaN)] },
      { epoch: 2, probe: "load", measurements: [number("churn", 2)] },
    ];
    const [, table] = trainingPage({ ...report("net"), measured }).split("<h2>load: layer</h2>");
    expect(rowsOf(table!.split("</table>")[0]!)).toEqual([
      " | epoch | entropy | churn",
      " | 1 | 0.5 | –",
      " | 2 | – | 2",
      " | 3 | 0.25 | –",
    ]);
  });

  it("lists the numbers of a map, whose rows are called rows where they have no other name", () => {
    const load = (row?: string) => ({ subject: "layer", name: "load", values: [0.5, 0.25], ...(row && { row }) });
    const sections = (first?: string) => {
      const measured = [first, "expert"].map((row, i) => ({ epoch: i + 1, probe: "p", measurements: [load(row)] }));
      return trainingPage({ ...report("net"), measured }).split("<h2>p: layer</h2>")[1]!;
    };
    expect(rowsOf(sections("expert")).slice(0, 3)).toEqual([
      " | epoch | expert 0 | expert 1",
      " | 1 | 0.5 | 0.25",
      " | 2 | 0.5 | 0.25",
    ]);
    expect(rowsOf(sections())[0]).toBe(" | epoch | row 0 | row 1");
  });

  it("draws many evaluations as means, with the shades of what is drawn", () => {
    const columns = Array.from({ length: 200 }, (_, i) => ({ at: String(i), values: [i, 0] }));
    const map = heatMap(columns, { label: "load", row: "expert", x: "epochs" })!.markup;
    expect(map.match(/<title>/g)).toHaveLength(2 * 67);
    expect(map).toContain("<title>0–2, expert 0: 1</title>");
    expect(map).toContain("<title>198–199, expert 0: 199</title>");
    expect(heatMap([{ at: "1", values: [Number.NaN] }], { label: "load", row: "expert", x: "epochs" })).toBeUndefined();
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
    // Of 1501 the last stands alone.
    const odd = trainingCurve(Array.from({ length: 1501 }, (_, i) => line(i + 1, i)).join("\n"));
    expect(odd.at(-1)).toEqual({ step: 1501, loss: 1500, learningRate: 0.1 });
    expect(trainingCurve("")).toEqual([]);
  });
});

describe("measurements", () => {
  const line = (epoch: number, values: unknown, probe = "mixtures") =>
    JSON.stringify({
      t: 1,
      type: "measurement",
      probe,
      epoch,
      update: 3,
      measurements: [{ subject: "a", name: "b", values }],
    });

  it("are those of the last record of an evaluation", () => {
    const lines = [
      line(2, [2]),
      line(1, [1]),
      line(2, [3, null]),
      line(2, [4], "other"),
      line(3, "x"),
      '"measurement"',
    ];
    const found = trainingMeasurements(lines.join("\n"));
    expect(found.map(({ epoch, probe, measurements }) => [epoch, probe, measurements[0]!.values])).toEqual([
      [1, "mixtures", [1]],
      [2, "mixtures", [3, Number.NaN]],
      [2, "other", [4]],
    ]);
  });
});
