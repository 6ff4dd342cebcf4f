/** @file What runs of one training by several ranks do alike, whatever the ranks exchange and when. */
import type { Algorithm, Metrics } from "../../train/index.ts";
import type { Communicator, Traffic } from "../communicator/communicator.ts";
import { jsonOfFirst } from "./bytes.ts";
import { metricsFromText, metricsText, metricsToText } from "./metrics-text.ts";
import { sharedCheckpoints } from "./shared-checkpoints.ts";

type Hooks = ReturnType<Algorithm["start"]>;

export interface SharedRun {
  /** Every rank takes its part of each batch; rank 0 evaluates and keeps checkpoints for all. */
  readonly hooks: Pick<Hooks, "prepare" | "aroundEvaluation" | "onEpoch" | "aroundCheckpoints">;
  /** Does work whose bytes count as exchanged. */
  during(work: () => Promise<void>): Promise<void>;
}

/** @param settle makes what ranks have the same, before it is evaluated and at the end of an epoch */
export function sharedRun(communicator: Communicator, settle: () => Promise<void>): SharedRun {
  const { rank: index, size: count } = communicator;
  const exchanged = trafficOf(communicator);
  return {
    during: exchanged.during,
    hooks: {
      prepare: (preparation) => ({ ...preparation, part: { index, count } }),
      async aroundEvaluation(measure) {
        await settle();
        return metricsOfFirst(communicator, measure);
      },
      async onEpoch(_, run) {
        await settle();
        run.measured("exchange", exchanged.measurements());
      },
      aroundCheckpoints: (open) => sharedCheckpoints(communicator, open),
    },
  };
}

async function metricsOfFirst(communicator: Communicator, measure: () => Promise<Metrics>): Promise<Metrics> {
  return metricsFromText(
    metricsText.parse(await jsonOfFirst(communicator, async () => metricsToText(await measure()))),
  );
}

/** Bytes of this rank per update. */
function trafficOf({ rank, size, traffic }: Communicator) {
  let [sent, received, updates] = [0, 0, 0];
  return {
    async during(work: () => Promise<void>): Promise<void> {
      const before: Traffic = { ...traffic };
      await work();
      sent += traffic.sentBytes - before.sentBytes;
      received += traffic.receivedBytes - before.receivedBytes;
      updates++;
    },
    measurements() {
      const subject = `rank ${rank} of ${size}`;
      const each = Math.max(1, updates);
      const found = [
        { subject, name: "bytes sent per update", values: [sent / each] },
        { subject, name: "bytes received per update", values: [received / each] },
      ];
      [sent, received, updates] = [0, 0, 0];
      return found;
    },
  };
}
