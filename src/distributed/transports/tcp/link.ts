/** @file A socket to one other rank, once it is known: frames both ways, and signs of life. */
import type { Socket } from "node:net";
import { RuntimeError } from "../../../errors.ts";
import type { Frame } from "../transport.ts";
import { frameReader, heartbeat, messageHead } from "./frames.ts";

export interface LinkListener {
  message(frame: Frame): void;
  lost(reason: string): void;
}

export interface Link {
  /** The address of the other rank's machine. */
  readonly remote: string;
  /** Resolves when the socket takes more. */
  send(frame: Frame): Promise<void>;
  /** The first message, before anybody listens. */
  first(): Promise<Frame>;
  listen(listener: LinkListener): void;
  /** After what was sent has been handed over. */
  close(): Promise<void>;
}

export interface LinkSettings {
  /** The largest payload, in bytes. */
  readonly most: number;
  /** Milliseconds between signs of life. */
  readonly beat: number;
  /** So many of them in a row may be missing. */
  readonly missing: number;
}

/** Takes the socket over. */
export function linkOver(socket: Socket, { most, beat, missing }: LinkSettings): Link {
  const received = inbox();
  const read = frameReader(most, received.take);
  let isOver = false;
  let silent = 0;
  const end = (reason: string): void => {
    if (isOver) return;
    isOver = true;
    clearInterval(timer);
    socket.destroy();
    received.end(reason);
  };
  // Beats are counted, not time: while this process is held up, none of its own beats passes.
  const timer = setInterval(() => {
    if (++silent > missing) end(`it has not answered for ${(beat * missing) / 1000} s`);
    else if (socket.writable) socket.write(heartbeat());
  }, beat);
  timer.unref();
  socket.setNoDelay(true);
  socket.on("data", (bytes: Buffer) => {
    silent = 0;
    try {
      read(bytes);
    } catch (error) {
      end(error instanceof Error ? error.message : String(error));
    }
  });
  socket.on("error", ({ message }) => end(`its connection failed: ${message}`));
  socket.on("close", () => end("its connection ended"));
  return {
    remote: socket.remoteAddress ?? "an unknown address",
    first: received.first,
    listen: received.listen,
    send: (frame) => written(socket, frame),
    async close() {
      isOver = true;
      clearInterval(timer);
      await closed(socket, beat * missing);
    },
  };
}

/** Frames that have come, for whoever listens. */
function inbox() {
  const held: Frame[] = [];
  let awaiting: { resolve(frame: Frame): void; reject(error: Error): void } | undefined;
  let listener: LinkListener | undefined;
  let ending: string | undefined;
  return {
    take(frame: Frame): void {
      if (listener) listener.message(frame);
      else if (awaiting) awaiting.resolve(frame);
      else held.push(frame);
      awaiting = undefined;
    },
    end(reason: string): void {
      ending = reason;
      awaiting?.reject(goneBefore(reason));
      listener?.lost(reason);
    },
    first: () =>
      new Promise<Frame>((resolve, reject) => {
        const next = held.shift();
        if (next) resolve(next);
        else if (ending !== undefined) reject(goneBefore(ending));
        else awaiting = { resolve, reject };
      }),
    listen(told: LinkListener): void {
      listener = told;
      for (const frame of held.splice(0)) told.message(frame);
      if (ending !== undefined) told.lost(ending);
    },
  };
}

function goneBefore(reason: string): RuntimeError {
  return new RuntimeError("a rank is gone before the job began", { got: reason });
}

/** Resolves when the socket takes more; what a socket that has ended is given is lost. */
function written(socket: Socket, frame: Frame): Promise<void> {
  if (!socket.writable) return Promise.resolve();
  socket.cork();
  socket.write(messageHead(frame));
  const takesMore = socket.write(frame.payload);
  socket.uncork();
  return takesMore ? Promise.resolve() : drained(socket);
}

/** Hands over what was written; a peer that does not take it is given up after `patience` milliseconds. */
async function closed(socket: Socket, patience: number): Promise<void> {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), patience);
  await new Promise<void>((resolve) => {
    socket.once("close", () => resolve());
    socket.end();
  });
  clearTimeout(timer);
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
  });
}
