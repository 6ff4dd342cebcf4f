/** @file The ranks of a group at the end of one channel: a request goes to all of them, and all have to answer. */
import { type Channel, isProgress, type LoadSpec, type RankSpec, type Reply, type Request } from "../protocol.ts";
import { type GroupMemory, groupMemory, viewsOf } from "./memory.ts";

export interface GroupSpec {
  readonly ep: LoadSpec["ep"];
  readonly profile: boolean;
  readonly ranks: readonly RankParts[];
}

/** What a rank loads, without the memory that the group shares. */
export type RankParts = Omit<RankSpec, "memory">;

/**
 * One channel over a channel for each rank. Rank 0 has the results, so that its answer is the group's. An error or the end
 * of one rank ends the waits of the others, and the group is ready again when all have answered.
 */
export function groupChannel(lines: readonly Channel<RankSpec>[]): Channel<GroupSpec> {
  const memory = groupMemory(lines.length);
  const views = viewsOf(memory);
  const answers = new Map<number, Map<number, Reply>>();
  return {
    post(request, transfer) {
      answers.set(request.id, new Map());
      const last = lines.length - 1;
      for (const [rank, line] of lines.entries()) {
        line.post(...requestTo(request, rank, memory, rank === last ? transfer : []));
      }
    },
    listen(onReply, onEnd) {
      lines.forEach((line, rank) => {
        line.listen(
          (reply) => {
            if (isProgress(reply)) {
              if (rank === 0) onReply(reply);
              return;
            }
            if ("error" in reply) views.fail();
            const received = answers.get(reply.id)?.set(rank, reply);
            if (received?.size !== lines.length) return;
            answers.delete(reply.id);
            if ([...received.values()].some((each) => "error" in each)) views.restart();
            onReply(combined(received));
          },
          ({ reason, ...end }) => {
            views.fail();
            onEnd({ ...end, reason: `rank ${rank}: ${reason}` });
          },
        );
      });
    },
    busy(busy) {
      for (const line of lines) line.busy(busy);
    },
    async close() {
      views.fail();
      await Promise.all(lines.map((line) => line.close()));
    },
  };
}

/** What one rank gets: of a spec its own part, and only rank 0 is asked for results. Memory can be handed over once. */
function requestTo(
  request: Request<GroupSpec>,
  rank: number,
  memory: GroupMemory,
  transfer: readonly ArrayBuffer[],
): [Request<RankSpec>, readonly ArrayBuffer[]] {
  const { id, call, args } = request;
  if (call === "open") {
    const spec = { ...(args as GroupSpec).ranks[rank]!, memory };
    return [{ id, call, args: spec }, buffersOf(spec)];
  }
  const asked = rank > 0 && typeof args === "object" && "fetches" in args ? { ...args, fetches: [] } : args;
  return [{ id, call, args: asked } as Request<RankSpec>, transfer];
}

function buffersOf({ steps }: RankSpec): ArrayBuffer[] {
  const specs = steps.flatMap((step) => (step.kind === "run" ? [step.spec] : []));
  return specs.flatMap(({ model, external }) =>
    [model, ...external.map(({ data }) => data)].map(({ buffer }) => buffer as ArrayBuffer),
  );
}

/** Rank 0's answer, or the error that came first: later ones only say that another rank failed. */
function combined(received: ReadonlyMap<number, Reply>): Reply {
  for (const reply of received.values()) if ("error" in reply) return reply;
  return received.get(0)!;
}
