/** @file Messages over a stream between processes: bytes of tensors travel as they are, everything else serialized. */
import type { Duplex } from "node:stream";
import { Deserializer, Serializer } from "node:v8";

/** Length of the serialized part and the number of byte arrays after it, then the length of each. */
const HEAD = 2;

/** Writes one message. Byte arrays are not copied, so they must stay as they are until the answer. */
export function sendFrame(stream: Duplex, message: unknown): void {
  const writer = new FrameWriter();
  writer.writeHeader();
  writer.writeValue(message);
  const body = writer.releaseBuffer();
  const head = Float64Array.from([
    body.byteLength,
    writer.arrays.length,
    ...writer.arrays.map((each) => each.byteLength),
  ]);
  stream.cork();
  stream.write(new Uint8Array(head.buffer));
  stream.write(body);
  for (const bytes of writer.arrays) if (bytes.byteLength > 0) stream.write(bytes);
  stream.uncork();
}

/** Calls `onMessage` for every message that arrives, and `onBroken` when no more can be read: there is no memory, or no sense in it. */
export function readFrames(
  stream: Duplex,
  onMessage: (message: unknown) => void,
  onBroken: (error: Error) => void,
): void {
  const take = chunksInto(onMessage);
  stream.on("data", (chunk: Uint8Array) => {
    try {
      take(chunk);
    } catch (error) {
      stream.destroy();
      onBroken(error as Error);
    }
  });
}

function chunksInto(onMessage: (message: unknown) => void): (chunk: Uint8Array) => void {
  const frames = framesInto(onMessage);
  let target = frames.next().value as Uint8Array;
  let filled = 0;
  return (chunk) => {
    for (let read = 0; read < chunk.byteLength; ) {
      const piece = chunk.subarray(read, read + target.byteLength - filled);
      target.set(piece, filled);
      filled += piece.byteLength;
      read += piece.byteLength;
      if (filled < target.byteLength) continue;
      target = frames.next().value as Uint8Array;
      filled = 0;
    }
  };
}

/** Yields memory that the stream has to fill before it goes on. */
function* framesInto(onMessage: (message: unknown) => void): Generator<Uint8Array, never> {
  for (;;) {
    const head = new Float64Array(HEAD);
    yield new Uint8Array(head.buffer);
    const [length = 0, count = 0] = head;
    const lengths = new Float64Array(count);
    if (count > 0) yield new Uint8Array(lengths.buffer);
    const body = unwritten(length);
    yield body;
    const arrays = Array.from(lengths, unwritten);
    for (const bytes of arrays) if (bytes.byteLength > 0) yield bytes;
    onMessage(new FrameReader(body, arrays).value());
  }
}

/** Memory with a buffer of its own, which is about to be filled. */
function unwritten(length: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}

/** What Node documents and its types lack. */
interface ViewsApart {
  _setTreatArrayBufferViewsAsHostObjects(apart: boolean): void;
}

class FrameWriter extends Serializer {
  readonly arrays: Uint8Array[] = [];

  constructor() {
    super();
    (this as unknown as ViewsApart)._setTreatArrayBufferViewsAsHostObjects(true);
  }

  _writeHostObject(bytes: Uint8Array): void {
    this.writeUint32(this.arrays.length);
    this.arrays.push(bytes);
  }
}

class FrameReader extends Deserializer {
  readonly #arrays: readonly Uint8Array[];

  constructor(body: Uint8Array, arrays: readonly Uint8Array[]) {
    super(body);
    this.#arrays = arrays;
  }

  value(): unknown {
    this.readHeader();
    return this.readValue();
  }

  /** Called by the serializer for what `_writeHostObject` wrote. */
  _readHostObject(): Uint8Array {
    return this.#arrays[this.readUint32()]!;
  }
}
