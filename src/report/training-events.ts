/** @file The curve of a training run from its `events.jsonl`. */
import { z } from "zod";
import type { CurvePoint } from "./training-facts.ts";

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
    ...group.at(-1)!,
    loss: group.reduce((sum, { loss }) => sum + loss, 0) / group.length,
  }));
}

function pointOf(line: string): CurvePoint | undefined {
  if (!line.includes('"step"')) return undefined;
  try {
    const parsed = step.safeParse(JSON.parse(line));
    if (!parsed.success) return undefined;
    const { step: number, loss, learningRate } = parsed.data;
    return { step: number, loss, learningRate };
  } catch {
    return undefined;
  }
}
