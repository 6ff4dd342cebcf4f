/** @file Which process on which machine wrote something, and whether it still runs. Node only. */
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

export interface ProcessIdentity {
  /** Of the machine and its set of process numbers: containers count theirs apart. */
  readonly host: string;
  readonly pid: number;
  /** When the process began, so that another one of its number is not taken for it; empty where the system does not tell. */
  readonly started: string;
}

/** What stands for the start of a process that has ended and whose parent has not asked for its answer yet. */
const ENDED = "ended";

let own: ProcessIdentity | undefined;

export function thisProcess(): ProcessIdentity {
  own ??= { host: hostDigest(), pid: process.pid, started: startOf(process.pid) ?? "" };
  return own;
}

/** Whether the process runs; `undefined` for one of another machine. */
export function isRunning({ host, pid, started }: ProcessIdentity): boolean | undefined {
  if (host !== thisProcess().host) return undefined;
  if (!isAlive(pid)) return false;
  const now = startOf(pid);
  if (now === ENDED) return false;
  return started === "" || now === undefined || now === started;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function hostDigest(): string {
  const space = attempted(() => readlinkSync("/proc/self/ns/pid")) ?? "";
  return createHash("sha256").update(`${hostname()} ${space}`).digest("hex").slice(0, 12);
}

/** The boot of the system and the tick at which the process began, as Linux tells them. */
function startOf(pid: number): string | undefined {
  return attempted(() => {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? ENDED : `${boot} ${fields[19]}`;
  });
}

function attempted<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
