/** @file The process that runs cases of changed fields and tells of each before and after it. */
import { fuzzCorpus } from "./fuzz.ts";
import { fuzzCase } from "./fuzz-fields.ts";
import type { Told, Work } from "./fuzz-processes.ts";
import { fuzzSeeds } from "./seeds.ts";

process.once("message", async ({ from, to, seed }: Work) => {
  const tell = (told: Told): Promise<void> =>
    new Promise((resolve, reject) => {
      process.send!(told, (error: Error | null) => (error ? reject(error) : resolve()));
    });
  const seeds = await fuzzSeeds(fuzzCorpus());
  for (let i = from; i < to; i++) {
    await tell({ began: i });
    await tell({ ended: i, report: await fuzzCase(i, seed, seeds) });
  }
  process.disconnect();
});
