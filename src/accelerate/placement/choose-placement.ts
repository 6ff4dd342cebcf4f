/** @file Where a network with branches runs fastest: as it is, fused, or spread over worker threads. */

import { branchGroupsOf, fuseBranches } from "../../branches/index.ts";
import { must, nth } from "../../checked.ts";
import { type Link, type NetworkCost, simulate } from "../../distributed/index.ts";
import { type Model, maxOf } from "../../ir/index.ts";
import { type LatencyOptions, raceLatency, type Standing } from "../../measure/index.ts";
import { inferShapes } from "../../ops/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { partitionBranches } from "../../parallel/index.ts";
import {
  describeHardware,
  type Feeds,
  openPartition,
  openSession,
  type Session,
  type SessionOptions,
} from "../../runtime/index.ts";
import { certainlyFastest } from "../certainly-fastest.ts";
import { measureCosts } from "./costs.ts";
import { measureLink, type RaceOptions } from "./link.ts";

export type Placement =
  | { readonly kind: "serial" }
  | { readonly kind: "fused" }
  | { readonly kind: "spread"; readonly workers: number };

export interface PlacementOptions {
  /** The largest number of worker threads to try, each with `session.threads` threads; default as many as cores. */
  readonly workers?: number;
  readonly session?: SessionOptions;
  /** Seconds that are spent on measuring; default 10. */
  readonly seconds?: number;
  /** Times sessions against each other, the first first; default `raceLatency`. */
  readonly race?: typeof raceLatency;
  readonly signal?: AbortSignal;
}

export interface PlacementRow {
  readonly placement: Placement;
  /** Milliseconds by the simulator, from the measured costs of the parts; absent for the fused form. */
  readonly predicted?: number;
  /** Milliseconds, and the ratio to serial with its spread; absent where it was not tried. */
  readonly measured?: Standing;
  /** Why it was not tried. */
  readonly reason?: string;
}

export interface PlacementChoice {
  readonly choice: Placement;
  /** Serial first. */
  readonly rows: readonly PlacementRow[];
  /** What the predictions rest on; absent without branches. */
  readonly cost?: NetworkCost;
  readonly link?: Link;
}

/** A placement that is predicted to take longer than serial by more than this factor is not tried. */
const HOPELESS = 1.25;

const placementOptionsNames: OptionNames<PlacementOptions> = {
  workers: true,
  session: true,
  seconds: true,
  race: true,
  signal: true,
};

/**
 * Measures every placement of `model` on these feeds, whose batch is the one that the choice is for, in one race, and
 * chooses the fastest; one other than serial has to be certain to be faster, by the 95 % interval of the ratio. Numbers of
 * workers that the simulator holds for hopeless are not tried.
 */
export async function choosePlacement(
  model: Model,
  feeds: Feeds,
  options: PlacementOptions = {},
): Promise<PlacementChoice> {
  checkOptions(options, placementOptionsNames);
  const { workers = (await describeHardware()).cores, session = {}, seconds = 10, signal } = options;
  const { race = raceLatency } = options;
  checkCount("workers", workers);
  const branches = maxOf(
    branchGroupsOf(inferShapes(model).graph).map(({ nodes }) => nodes.length),
    0,
  );
  if (branches === 0) return { choice: serial, rows: [{ placement: serial }] };
  const timing = { seconds: seconds / 4, race, ...(signal && { signal }) };
  const cost = await measureCosts(model, feeds, { session, ...timing });
  const link = await measureLink(timing);
  const rows = candidates(cost, link, Math.min(workers, branches));
  const tried = rows.filter(({ reason }) => reason === undefined);
  const placements = tried.map(({ placement }) => placement);
  const standings = await timePlacements(model, placements, feeds, session, { ...timing, seconds: seconds / 2 });
  const measured = new Map(tried.map((row, i) => [row, nth(standings, i)]));
  const complete = rows.map(
    (row): PlacementRow => (measured.has(row) ? { ...row, measured: must(measured, row) } : row),
  );
  return { choice: certainlyFastest(nth(complete, 0), complete).placement, rows: complete, cost, link };
}

const serial: Placement = { kind: "serial" };

function candidates(cost: NetworkCost, link: Link, most: number): PlacementRow[] {
  const predicted = (devices: number): number => simulate(cost, devices, { link, reduction: "direct" }).latency;
  const spread = Array.from({ length: most - 1 }, (_, i): PlacementRow => {
    const row = { placement: { kind: "spread", workers: i + 2 }, predicted: predicted(i + 2) } as const;
    const isHopeless = row.predicted > HOPELESS * predicted(1);
    return isHopeless ? { ...row, reason: "predicted to take longer than serial" } : row;
  });
  return [{ placement: serial, predicted: predicted(1) }, { placement: { kind: "fused" } }, ...spread];
}

async function timePlacements(
  model: Model,
  placements: readonly Placement[],
  feeds: Feeds,
  options: SessionOptions,
  { race, ...timing }: Required<Pick<RaceOptions, "race">> & LatencyOptions,
): Promise<Standing[]> {
  const sessions: Session[] = [];
  try {
    for (const placement of placements)
      sessions.push(await openPlaced(model, placement, { step: "timing placements", ...options }));
    return await race(
      sessions.map((session) => ({ session, feeds })),
      timing,
    );
  } finally {
    await Promise.all(sessions.map((session) => session.release()));
  }
}

/** Opens a model as a placement says. Results differ within rounding at most. */
export async function openPlaced(model: Model, placement: Placement, options: SessionOptions = {}): Promise<Session> {
  if (placement.kind === "spread") return openPartition(partitionBranches(model, placement.workers), options);
  return openSession(placement.kind === "fused" ? (await fuseBranches().run(model)).model : model, options);
}
