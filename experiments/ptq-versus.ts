/** @file lithe and ONNX Runtime's own quantizer in one run, as bench/peers/versus.py recorded it. */
import { readFileSync } from "node:fs";
import { markdownTable } from "./experiment.ts";

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
  const path = new URL("../bench/peers/results/versus.json", import.meta.url);
  const { results } = JSON.parse(readFileSync(path, "utf8")) as { results: readonly Row[] };
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
