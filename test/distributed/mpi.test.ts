import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { openCommunicator } from "../../src/distributed/index.ts";
import { mpiTransport } from "../../src/distributed/sockets.ts";
import { collectiveLaws } from "../laws/collectives/laws.ts";
import { describeMpi } from "./mpi-means.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Runs ranks of Open MPI; `heard` sees all that they have said whenever they say more. */
async function ranksOfMpi(count: number, script: readonly string[], heard: (said: string) => void = () => {}) {
  const command = ["--allow-run-as-root", "--oversubscribe", "-n", String(count), process.execPath, ...script];
  const child = spawn("mpirun", command, { cwd: root });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
      heard(said);
    });
  }
  const code = await new Promise((resolve) => child.on("close", resolve));
  return { said, code };
}

describeMpi("ranks of Open MPI", () => {
  it.each([2])("%s of them keep the laws of collectives", async (size) => {
    const script = ["--import", "./scripts/typescript.mjs", "test/distributed/mpi-laws.ts"];
    const { said, code } = await ranksOfMpi(size, script);
    const names = Object.keys(collectiveLaws);
    const wanted = Array.from({ length: size }, (_, rank) =>
      names.map((name) => `rank ${rank} of ${size} holds ${name}`),
    );
    expect(
      said
        .split("\n")
        .filter((line) => line !== "")
        .sort(),
    ).toEqual(wanted.flat().sort());
    expect(code).toBe(0);
  });

  it("all end when one is killed, and its number and machine are told", async () => {
    let killed = false;
    const { said, code } = await ranksOfMpi(2, ["test/distributed/mpi-waiting.mjs"], (told) => {
      const victim = /rank 1 is process (\d+)\n/.exec(told)?.[1];
      if (killed || !victim || !told.includes("rank 0 is process")) return;
      killed = true;
      process.kill(Number(victim), "SIGKILL");
    });
    expect(said.replaceAll(/\s+/g, " ")).toMatch(/process rank 1 with PID \d+ on node \S+ exited on signal 9/);
    expect(code).not.toBe(0);
  });

  it("a process without mpirun is one rank", async () => {
    await using alone = openCommunicator(await mpiTransport());
    expect([alone.rank, alone.size]).toEqual([0, 1]);
  });
});
