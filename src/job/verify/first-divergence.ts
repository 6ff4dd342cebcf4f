/** @file Where two models begin to differ, for `lithe compare --divergence`. */

import type { Model } from "../../ir/index.ts";
import { findDivergence } from "../../measure/index.ts";
import { formatNumber } from "../../report/index.ts";
import { type Feeds, openSession, runtimeBuild } from "../../runtime/index.ts";
import type { Console } from "../console.ts";
import type { RuntimeOptions } from "../settings/settings.ts";

/** The first value of A that B computes under the same name with a larger error than the tolerance, on one batch. */
export async function firstDivergence(
  a: Model,
  b: Model,
  feeds: Feeds,
  { divergence, ep, threads }: RuntimeOptions & { readonly divergence?: number },
  { json, say }: Console,
) {
  const options = { ep, threads, stock: true, ...(divergence !== undefined && { tolerance: divergence }) };
  const { first, values } = await findDivergence(a, b, [feeds], openSession, options);
  const build = await runtimeBuild(ep);
  if (!json) {
    const where = first ? `${first.node}, relative error ${formatNumber(first.relative)}` : "none";
    say(`first divergence ${where} (${values.length} values of one name compared, ${build})`);
  }
  return { divergence: { first: first ?? null, compared: values.length, build } };
}
