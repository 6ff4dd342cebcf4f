/** @file A communicator over a transport. */
import { UsageError } from "../../errors.ts";
import { allGather } from "../collectives/all-gather.ts";
import type { Transport } from "../transports/transport.ts";
import type { Communicator, Line, Traffic } from "./communicator.ts";
import { copied } from "./copied.ts";
import { lineAmong } from "./line-among.ts";
import { type Mailbox, mailbox } from "./mailbox.ts";

/** The channel on which a rank says that it leaves. */
const LEAVING = "";

/** Opens this rank's end. The transport belongs to it afterwards. */
export function openCommunicator(transport: Transport): Communicator {
  const { rank, size } = transport;
  const box = mailbox();
  transport.listen({
    frame: (from, { channel, payload }) => (channel === LEAVING ? box.left(from) : box.put(from, channel, payload)),
    lost: (lost, reason, host) => box.lost(lost, reason, host),
  });
  const traffic: Counts = { sentBytes: 0, receivedBytes: 0, sentMessages: 0, receivedMessages: 0 };
  const lineOf = (channel: string): Line => ({
    rank,
    size,
    async send(to, data) {
      requirePeer(to, rank, size);
      const reason = box.reasonAgainst(to);
      if (reason) throw reason;
      const payload = copied(data);
      traffic.sentBytes += payload.length;
      traffic.sentMessages++;
      await transport.post(to, { channel, payload });
    },
    async receive(from) {
      requirePeer(from, rank, size);
      const message = await box.take(from, channel);
      traffic.receivedBytes += message.length;
      traffic.receivedMessages++;
      return message;
    },
    ...fastPath(transport, box, channel),
  });
  const world = membersOf("world", lineOf, traffic);
  return { ...world, [Symbol.asyncDispose]: () => leave(transport, box) };
}

function fastPath(transport: Transport, box: Mailbox, channel: string): Pick<Line, "allReduce"> {
  if (!transport.allReduce) return {};
  return {
    async allReduce(values, operation) {
      const reason = box.reasonAgainst(transport.rank);
      if (reason) throw reason;
      await transport.allReduce?.(channel, values, operation);
    },
  };
}

type Counts = { -readonly [K in keyof Traffic]: Traffic[K] };

/** A communicator whose lines have names that begin with `context`; those that come of it end with it. */
function membersOf(context: string, lineOf: (channel: string) => Line, traffic: Traffic): Communicator {
  const { rank, size } = lineOf(context);
  let operations = 0;
  const begin = (): Line => lineOf(`${context} ${operations++}`);
  return {
    rank,
    size,
    traffic,
    begin,
    tagged: (tag) => lineOf(`${context} tag ${tag}`),
    async split(color, key = rank) {
      const line = begin();
      const told = await allGather(line, Float64Array.of(color ?? Number.NaN, key));
      const choices = told.map(({ buffer }, from) => {
        const [itsColor, itsKey] = new Float64Array(buffer);
        return { from, color: itsColor, key: itsKey ?? 0 };
      });
      if (color === undefined) return undefined;
      const same = choices.filter((choice) => choice.color === color);
      const ranks = same.sort((a, b) => a.key - b.key || a.from - b.from).map(({ from }) => from);
      const within = `${context} ${operations} colour ${color}`;
      return membersOf(within, (channel) => lineAmong(lineOf(channel), ranks), traffic);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** The others hear of it, and what was sent before arrives. */
async function leave(transport: Transport, box: Mailbox): Promise<void> {
  const { rank, size } = transport;
  for (let to = 0; to < size; to++) {
    if (to === rank || box.reasonAgainst(to)) continue;
    await transport.post(to, { channel: LEAVING, payload: new Uint8Array(0) });
  }
  box.close();
  await transport.close();
}

function requirePeer(peer: number, rank: number, size: number): void {
  if (Number.isInteger(peer) && peer >= 0 && peer < size && peer !== rank) return;
  throw new UsageError("a message goes to another rank of the communicator", {
    expected: `a rank from 0 to ${size - 1} other than ${rank}`,
    got: String(peer),
  });
}
