/** @file Frames on a stream of bytes: a header of 7 bytes (kind, length of the channel's name, length of the payload), the name, the payload. */
import { FormatError } from "../../../errors.ts";
import type { Frame } from "../transport.ts";

/** What a frame is for. */
export const kinds = { message: 1, heartbeat: 2 } as const;

const HEADER = 7;
const LONGEST_CHANNEL = 1024;

/** Header and name of a message; its payload follows. */
export function messageHead({ channel, payload }: Frame): Uint8Array {
  const name = new TextEncoder().encode(channel);
  const head = new Uint8Array(HEADER + name.length);
  const view = new DataView(head.buffer);
  view.setUint8(0, kinds.message);
  view.setUint16(1, name.length);
  view.setUint32(3, payload.length);
  head.set(name, HEADER);
  return head;
}

export function heartbeat(): Uint8Array {
  const head = new Uint8Array(HEADER);
  head[0] = kinds.heartbeat;
  return head;
}

interface Head {
  readonly isMessage: boolean;
  readonly channelLength: number;
  readonly payloadLength: number;
}

/**
 * Takes bytes as they come and gives the messages in them. Lengths are checked before memory is taken for them.
 *
 * @throws FormatError for what is no frame, or a larger one than allowed
 */
export function frameReader(most: number, onMessage: (frame: Frame) => void): (bytes: Uint8Array) => void {
  let head: Head | undefined;
  let filling = new Uint8Array(HEADER);
  let filled = 0;
  let channel: string | undefined;
  const next = (length: number): void => {
    filling = new Uint8Array(length);
    filled = 0;
  };
  const complete = (): void => {
    if (!head) {
      head = headOf(filling, most);
      next(head.channelLength);
    } else if (channel === undefined) {
      channel = new TextDecoder("utf-8", { fatal: false }).decode(filling);
      next(head.payloadLength);
    } else {
      if (head.isMessage) onMessage({ channel, payload: filling });
      head = undefined;
      channel = undefined;
      next(HEADER);
    }
  };
  return (bytes) => {
    let at = 0;
    while (at < bytes.length || (filled === filling.length && head)) {
      const part = bytes.subarray(at, at + filling.length - filled);
      filling.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < filling.length) return;
      complete();
    }
  };
}

function headOf(bytes: Uint8Array, most: number): Head {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const kind = view.getUint8(0);
  const [channelLength, payloadLength] = [view.getUint16(1), view.getUint32(3)];
  const isMessage = kind === kinds.message;
  if (!isMessage && (kind !== kinds.heartbeat || channelLength + payloadLength > 0)) {
    throw new FormatError("this is no frame of a rank", { expected: "a message or a heartbeat", got: `kind ${kind}` });
  }
  if (channelLength > LONGEST_CHANNEL || payloadLength > most) {
    throw new FormatError("a frame of a rank is larger than allowed", {
      expected: `a name of ${LONGEST_CHANNEL} bytes and a payload of ${most} bytes at most`,
      got: `${channelLength} and ${payloadLength} bytes`,
    });
  }
  return { isMessage, channelLength, payloadLength };
}
