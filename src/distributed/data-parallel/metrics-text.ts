/** @file Metrics as text, since JSON has neither NaN nor infinity. */
import * as z from "zod";
import type { Metrics } from "../../train/index.ts";

export const metricsText = z.array(z.tuple([z.string(), z.string()]));

export function metricsToText(metrics: Metrics): z.infer<typeof metricsText> {
  return Object.entries(metrics).map(([name, value]) => [name, String(value)]);
}

export function metricsFromText(entries: z.infer<typeof metricsText>): Metrics {
  return Object.fromEntries(entries.map(([name, value]) => [name, Number(value)]));
}
