/** @file Messages between processes. */
import { PassThrough } from "node:stream";
import { expect, it, vi } from "vitest";
import { readFrames, sendFrame } from "./frames.ts";

function line() {
  const stream = new PassThrough();
  const [onMessage, onBroken] = [vi.fn(), vi.fn()];
  return { stream, onMessage, onBroken };
}

it("messages arrive whole and in order, in whatever pieces they travel", () => {
  const { stream, onMessage, onBroken } = line();
  const source = new PassThrough();
  const messages = [{ id: 1, data: Uint8Array.of(1, 2, 3) }, { texts: ["é"], none: new Uint8Array(0) }, undefined];
  for (const message of messages) sendFrame(source, message);
  readFrames(stream, onMessage, onBroken);
  for (const byte of source.read() as Uint8Array) stream.emit("data", Uint8Array.of(byte));
  expect(onMessage.mock.calls.map(([message]) => message)).toEqual(messages);
  expect(onBroken).not.toHaveBeenCalled();
});

it.each([
  ["a length that no memory has", new Uint8Array(Float64Array.of(2 ** 60, 0).buffer)],
  ["no message", new Uint8Array(32).fill(7)],
])("%s ends the line instead of the program", (_, bytes) => {
  const { stream, onMessage, onBroken } = line();
  readFrames(stream, onMessage, onBroken);
  stream.emit("data", bytes);
  expect(onMessage).not.toHaveBeenCalled();
  expect(onBroken).toHaveBeenCalledWith(expect.any(Error));
});
