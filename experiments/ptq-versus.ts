/** @file lithe and ONNX Runtime's own quantizer in one run, as bench/peers/versus.py recorded it. */
import { readFileSync } from "node:fs";
import { markdownTable } from "./experiment.ts";
import { differenceInterval, everyOne, intervalText, isAbove, isAtLeast, type Judgement, points } from "./judgement.ts";

interface Quartiles {
  readonly ratio: number;
  readonly p25: number;
  readonly p75: number;
}

interface Side {
  readonly agreement: number;
  readonly accuracy: number;
  readonly bytes: number;
  readonly latency: Quartiles;
}

interface Row {
  readonly model: string;
  readonly weightBits: number;
  /** Samples of the evaluation. */
  readonly evaluated: number;
  readonly accuracyFp32: number;
  readonly peer: Side;
  readonly ours: Side;
  readonly peerOverOurs: Quartiles;
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const ratio = ({ ratio: median, p25, p75 }: Quartiles): string =>
  `${median.toFixed(2)} [${p25.toFixed(2)}, ${p75.toFixed(2)}]`;

/** Agreement with the float model, accuracy, and latency ratios with their quartiles over the rounds. */
export function versusTable(): string {
  const { results } = recorded();
  const headings = [
    "model",
    "weights",
    "agreement: lithe",
    "peer",
    "accuracy: fp32",
    "lithe",
    "peer",
    "fp32 / lithe",
    "fp32 / peer",
    "peer / lithe",
    "bytes: lithe",
    "peer",
  ];
  const rows = results.map(({ model, weightBits, accuracyFp32, ours, peer, peerOverOurs }) => [
    model,
    `${weightBits} bit`,
    percent(ours.agreement),
    percent(peer.agreement),
    percent(accuracyFp32),
    percent(ours.accuracy),
    percent(peer.accuracy),
    ratio(ours.latency),
    ratio(peer.latency),
    ratio(peerOverOurs),
    ours.bytes.toLocaleString("en-US"),
    peer.bytes.toLocaleString("en-US"),
  ]);
  return markdownTable(headings, rows);
}

interface Versus {
  readonly environment: {
    readonly cpu: string;
    readonly cores: number;
    readonly versions: Readonly<Record<string, string>>;
  };
  readonly results: readonly Row[];
}

function recorded(): Versus {
  return JSON.parse(readFileSync(new URL("../bench/peers/results/versus.json", import.meta.url), "utf8")) as Versus;
}

/** Where the table comes from: not from the command of its section. */
export function versusNote(): string {
  const { cpu, cores, versions } = recorded().environment;
  return [
    "Float model, ONNX Runtime's quantizer and lithe in one run. These figures are not of the command above but of `npm run experiment ptq -- --keep OURS`,",
    "then `python bench/peers/ort_quantize.py --out PEERS`, then `python bench/peers/versus.py --ours OURS --peers PEERS --results bench/peers/results/versus.json`,",
    `on ${cpu}, ${cores} cores, Python's onnxruntime ${versions.onnxruntime}; brackets are the quartiles of the rounds.`,
    "The peer's calibration is its best on these very pictures, ours was chosen without them:",
  ].join(" ");
}

/** The criterion, row by row. */
export function judgeVersus(): readonly Judgement[] {
  const { results } = recorded();
  const named = ({ model, weightBits }: Row) => `${model}, ${weightBits} bit`;
  const gain = ({ ours, peer, evaluated }: Row) => differenceInterval(ours.agreement, peer.agreement, evaluated);
  return [
    {
      ...everyOne(
        "agreement is above the peer's best for the same width of weights",
        results,
        (row) => isAbove(gain(row), 0),
        (row) =>
          `${named(row)} ${points(row.ours.agreement - row.peer.agreement)} (${intervalText(gain(row), points)})`,
      ),
      why: "which answers agree was not recorded, so the interval is that of two separate samples, wider than of the same pictures.",
    },
    everyOne(
      "the file is smaller than the peer's",
      results,
      ({ ours, peer }) => ours.bytes < peer.bytes,
      (row) => `${named(row)}: ${row.ours.bytes} against ${row.peer.bytes} bytes`,
    ),
    everyOne(
      "it is not slower than the peer's, by the quartiles of the rounds",
      results,
      ({ peerOverOurs: { p25, p75 } }) => isAtLeast([p25, p75], 1),
      (row) => `${named(row)} ${ratio(row.peerOverOurs)}`,
    ),
  ];
}
