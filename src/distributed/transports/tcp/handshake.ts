/**
 * @file What two ranks say to each other before frames: each proves that it knows the token of the job without sending it.
 *
 * The listener sends 32 random bytes; who connects answers with its rank, the number of ranks, the port on which it listens itself, 32 random
 * bytes, and HMAC-SHA256 of all of it under the token; the listener answers with a verdict and the same the other way around. Every message has
 * a fixed length.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import { FormatError, UsageError } from "../../../errors.ts";

const MAGIC = "LITHE\x01";
const NONCE = 32;
const PROOF = 32;
const CALLER = 10;
const ANSWER = 5;

/** Who connects. */
export interface Caller {
  readonly rank: number;
  readonly size: number;
  /** Where it listens for others; 0 where it does not. */
  readonly port: number;
}

/** Why a listener lets nobody in. */
export const verdicts = [
  "welcome",
  "another token",
  "another number of ranks",
  "a rank that is there already",
] as const;

export type Verdict = (typeof verdicts)[number];

/** The listener's side. `judge` is asked about callers that know the token. Resolves with the caller that was let in; of others it tells nothing. */
export async function receiveCaller(
  socket: Socket,
  token: string,
  own: number,
  judge: (caller: Caller) => Verdict,
): Promise<Caller | undefined> {
  const nonce = randomBytes(NONCE);
  socket.write(Buffer.concat([Buffer.from(MAGIC, "latin1"), nonce]));
  const message = await take(socket, MAGIC.length + NONCE + CALLER + PROOF);
  if (!hasMagic(message)) return undefined;
  const body = message.subarray(MAGIC.length);
  const [theirs, said] = [body.subarray(0, NONCE), body.subarray(NONCE, NONCE + CALLER)];
  const proof = body.subarray(NONCE + CALLER);
  const knows = timingSafeEqual(proof, prove(token, "caller", [nonce, theirs, said]));
  const caller = { rank: said.readUInt32BE(0), size: said.readUInt32BE(4), port: said.readUInt16BE(8) };
  const verdict: Verdict = knows ? judge(caller) : "another token";
  const answer = Buffer.alloc(ANSWER);
  answer.writeUInt8(verdicts.indexOf(verdict));
  answer.writeUInt32BE(own, 1);
  socket.write(Buffer.concat([answer, knows ? prove(token, "listener", [theirs, nonce, answer]) : randomBytes(PROOF)]));
  return verdict === "welcome" ? caller : undefined;
}

/**
 * The caller's side.
 *
 * @throws UsageError where the listener refuses, has another token, or is another rank; FormatError where it is no rank of lithe's
 */
export async function callListener(socket: Socket, token: string, own: Caller, listener: number): Promise<void> {
  const hello = await take(socket, MAGIC.length + NONCE);
  if (!hasMagic(hello)) {
    throw new FormatError("what listens there is no rank of this version of lithe", { got: address(socket) });
  }
  const theirs = hello.subarray(MAGIC.length);
  const nonce = randomBytes(NONCE);
  const said = Buffer.alloc(CALLER);
  said.writeUInt32BE(own.rank, 0);
  said.writeUInt32BE(own.size, 4);
  said.writeUInt16BE(own.port, 8);
  const proof = prove(token, "caller", [theirs, nonce, said]);
  socket.write(Buffer.concat([Buffer.from(MAGIC, "latin1"), nonce, said, proof]));
  const reply = await take(socket, ANSWER + PROOF);
  const [answer, theirProof] = [reply.subarray(0, ANSWER), reply.subarray(ANSWER)];
  const verdict = verdicts[answer.readUInt8(0)] ?? "another token";
  const isProved = timingSafeEqual(theirProof, prove(token, "listener", [nonce, theirs, answer]));
  if (verdict === "welcome" && isProved && answer.readUInt32BE(1) === listener) return;
  const reason = verdict === "welcome" ? (isProved ? "another rank" : "another token") : verdict;
  throw new UsageError(`rank ${own.rank} of ${own.size} is not let into the job`, {
    got: reason,
    where: address(socket),
    hint: "Every rank of a job has the same token, the same number of ranks, and a rank of its own.",
  });
}

function address({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}

function prove(token: string, side: string, parts: readonly Uint8Array[]): Buffer {
  const hmac = createHmac("sha256", token).update(side);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

function hasMagic(message: Buffer): boolean {
  return message.toString("latin1", 0, MAGIC.length) === MAGIC;
}

/** So many bytes; what follows stays in the socket. */
function take(socket: Socket, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      socket.off("readable", look);
      socket.off("end", gone);
      socket.off("close", gone);
      socket.off("error", gone);
    };
    const look = (): void => {
      const bytes: Buffer | null = socket.read(length);
      if (bytes === null) return;
      done();
      if (bytes.length < length) reject(ended());
      else resolve(bytes);
    };
    const gone = (): void => {
      done();
      reject(ended());
    };
    socket.on("readable", look);
    socket.on("end", gone);
    socket.on("close", gone);
    socket.on("error", gone);
    look();
  });
}

function ended(): FormatError {
  return new FormatError("the connection ended before both ranks had said who they are");
}
