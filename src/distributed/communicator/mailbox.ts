/** @file Messages that have come, and those who wait for some. */
import { UsageError } from "../../errors.ts";
import { RankLostError } from "./rank-lost.ts";

type Message = Uint8Array<ArrayBuffer>;

interface Waiting {
  readonly from: number;
  resolve(message: Message): void;
  reject(error: Error): void;
}

interface Box {
  readonly messages: Message[];
  readonly waiting: Waiting[];
}

export interface Mailbox {
  put(from: number, channel: string, message: Message): void;
  take(from: number, channel: string): Promise<Message>;
  /** A rank that will send no more: what it has sent before can be taken. */
  left(rank: number): void;
  /** A rank that is lost: every wait fails, since no operation of all ranks can end without it. */
  lost(rank: number, reason: string, host?: string): void;
  /** Whether a rank left, is lost, or this end was closed: then why. */
  reasonAgainst(rank: number): Error | undefined;
  close(): void;
}

export function mailbox(): Mailbox {
  const boxes = new Map<string, Box>();
  const left = new Set<number>();
  let ended: Error | undefined;
  const keyOf = (from: number, channel: string): string => `${from} ${channel}`;
  const boxOf = (key: string): Box => {
    const box = boxes.get(key) ?? { messages: [], waiting: [] };
    boxes.set(key, box);
    return box;
  };
  const failAll = (error: Error, isMeant: (waiting: Waiting) => boolean): void => {
    for (const { waiting } of boxes.values()) {
      for (const each of waiting.splice(0)) {
        if (isMeant(each)) each.reject(error);
        else waiting.push(each);
      }
    }
  };
  const end = (error: Error): void => {
    ended ??= error;
    failAll(error, () => true);
  };
  const reasonAgainst = (rank: number): Error | undefined =>
    ended ?? (left.has(rank) ? new RankLostError(rank, "it has left") : undefined);
  return {
    put(from, channel, message) {
      const key = keyOf(from, channel);
      const { messages, waiting } = boxOf(key);
      const next = waiting.shift();
      if (next) next.resolve(message);
      else messages.push(message);
      if (messages.length === 0 && waiting.length === 0) boxes.delete(key);
    },
    take(from, channel) {
      const key = keyOf(from, channel);
      const { messages, waiting } = boxOf(key);
      const next = messages.shift();
      if (messages.length === 0 && waiting.length === 0) boxes.delete(key);
      if (next) return Promise.resolve(next);
      const reason = reasonAgainst(from);
      if (reason) return Promise.reject(reason);
      return new Promise((resolve, reject) => boxOf(key).waiting.push({ from, resolve, reject }));
    },
    left(rank) {
      left.add(rank);
      failAll(new RankLostError(rank, "it has left"), ({ from }) => from === rank);
    },
    lost(rank, reason, host) {
      if (!left.has(rank)) end(new RankLostError(rank, reason, host));
    },
    reasonAgainst,
    close: () => end(new UsageError("this communicator is closed")),
  };
}
