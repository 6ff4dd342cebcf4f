/** @file The curve and the measurements of a training run from its `events.jsonl`. */

import { z } from "zod";
import { lastOf } from "../checked.ts";
import type { CurvePoint, MeasurementFacts } from "./training-facts.ts";

/** JSON has no NaN and writes null. */
export const numberOrNaN = z.union([z.number(), z.null().transform(() => Number.NaN)]);

export const measurement = z.object({
  epoch: z.number(),
  probe: z.string(),
  measurements: z.array(
    z.object({
      subject: z.string(),
      name: z.string(),
      values: z.array(numberOrNaN),
      row: z.string().optional(),
    }),
  ),
});

const measured = measurement.extend({ type: z.literal("measurement") });

const step = z.object({ type: z.literal("step"), step: z.number(), loss: z.number(), learningRate: z.number() });

/** At most this many points; of more, every so many batches are drawn as their mean. */
const MOST = 600;

/**
 * One point for each batch or group of batches. Of a batch that a resumed run has done again, the last record counts; lines that are
 * no record of a batch with a finite loss are passed over.
 */
export function trainingCurve(lines: string): CurvePoint[] {
  const points = new Map<number, CurvePoint>();
  for (const line of lines.split("\n")) {
    const point = pointOf(line);
    if (point) points.set(point.step, point);
  }
  const ordered = [...points.values()].sort((a, b) => a.step - b.step);
  const width = Math.ceil(ordered.length / MOST);
  const groups = Array.from({ length: Math.ceil(ordered.length / Math.max(1, width)) }, (_, i) =>
    ordered.slice(i * width, (i + 1) * width),
  );
  return groups.map((group) => ({
    ...lastOf(group),
    loss: group.reduce((sum, { loss }) => sum + loss, 0) / group.length,
  }));
}

function pointOf(line: string): CurvePoint | undefined {
  const found = recordIn(line, "step", step);
  return found && { step: found.step, loss: found.loss, learningRate: found.learningRate };
}

/** What probes measured, by probe and epoch; of an evaluation that was done again, the last record counts. */
export function trainingMeasurements(lines: string): MeasurementFacts[] {
  const found = new Map<string, MeasurementFacts>();
  for (const line of lines.split("\n")) {
    const record = recordIn(line, "measurement", measured);
    if (!record) continue;
    const { type: _, ...facts } = record;
    found.set(`${facts.epoch} ${facts.probe}`, facts);
  }
  return [...found.values()].sort((a, b) => a.epoch - b.epoch);
}

function recordIn<T>(line: string, type: string, expected: z.ZodType<T>): T | undefined {
  if (!line.includes(JSON.stringify(type))) return undefined;
  try {
    return expected.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
