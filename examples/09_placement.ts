/** Measures where a network of eight branches runs fastest on this machine, and asks the simulator about larger ones. */
import { choosePlacement, openPlaced } from "litheml/accelerate";
import { random } from "litheml/data";
import { simulate } from "litheml/distributed";
import { tensor } from "litheml/ir";
import { paraFormer } from "litheml/models";

const network = paraFormer(random(1), { size: 32, patch: 4, width: 64, heads: 1, depth: 1, branches: 8 });
const feeds = new Map([["input", tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(0.5))]]);

const { choice, rows, cost, link } = await choosePlacement(network, feeds, { workers: 2, seconds: 4 });
for (const { placement, measured, reason } of rows) {
  const name = placement.kind === "spread" ? `${placement.workers} workers` : placement.kind;
  console.log(
    `${name}: ${measured ? `${measured.p50.toFixed(2)} ms, ${measured.ratio.toFixed(2)} times as fast` : reason}`,
  );
}

await using session = await openPlaced(network, choice);
const logits = (await session.run(feeds)).get("logits")!;
console.log(`chosen: ${choice.kind}; logits [${logits.dims.join(", ")}]`);

for (const devices of [1, 2, 4, 8]) {
  const { latency } = simulate(cost!, devices, { link: link! });
  console.log(`${devices} devices like this core: ${latency.toFixed(2)} ms`);
}
