/** @file What an experiment is: a claim, how it is tested, and figures as data from which the page of results is written. */
import type { Hardware } from "../src/runtime/index.ts";
import type { Judgement } from "./judgement.ts";

export interface Experiment<R = unknown> {
  readonly name: string;
  /** The sentence that is put to the test, and who says it. */
  readonly claim: string;
  readonly source: string;
  readonly workload: string;
  /** Seeds used; empty where nothing is random. */
  readonly seeds: readonly number[];
  /** When the claim counts as shown. */
  readonly criterion: string;
  run(context: ExperimentContext): Promise<R>;
  /** Each part of the criterion, from the recorded figures alone. */
  judge(result: R): readonly Judgement[];
  /** The result as Markdown: tables, and sentences where figures fall short. */
  page(result: R): string;
}

export interface ExperimentContext {
  /** Folder with the real models and data; an experiment that needs it fails without it. */
  readonly shared: string;
  /** A Python with the packages that bench/peers/README.md names, for experiments with a peer. */
  readonly python: string | undefined;
  /** Parts that were finished by an interrupted run: a key is done once, whatever happens. */
  once<T>(key: string, work: () => Promise<T>): Promise<T>;
  log(line: string): void;
  /** Keeps a file for other tools in the folder that `--keep` names; without it, nothing is kept. */
  keep(name: string, bytes: Uint8Array): Promise<void>;
}

export interface Recorded<R = unknown> {
  readonly experiment: string;
  readonly date: string;
  readonly machine: Pick<Hardware, "cpu" | "cores" | "platform" | "arch" | "node"> & {
    readonly flags: readonly string[];
    readonly runtimes: Readonly<Record<string, string>>;
  };
  readonly seconds: number;
  readonly result: R;
}

/** A Markdown table. */
export function markdownTable(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
  return [line(headings), line(headings.map(() => "---")), ...rows.map(line)].join("\n");
}
