import { describe, expect, it } from "vitest";
import { communicatorFromEnvironment, launchFromEnvironment } from "../sockets.ts";

const master = { MASTER_ADDR: "10.0.0.1", MASTER_PORT: "29500" };
const address = "10.0.0.1:29500";

describe("the launch of a process", () => {
  it.each([
    [
      { OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "4" },
      { transport: "mpi", rank: 1, size: 4 },
    ],
    [
      // Under mpirun in a batch job, Slurm counts what mpirun started on other nodes.
      { OMPI_COMM_WORLD_RANK: "3", OMPI_COMM_WORLD_SIZE: "4", SLURM_PROCID: "0", SLURM_NTASKS: "2" },
      { transport: "mpi", rank: 3, size: 4 },
    ],
    [
      { RANK: "0", WORLD_SIZE: "2", ...master },
      { transport: "tcp", rank: 0, size: 2, address },
    ],
    [
      { SLURM_PROCID: "5", SLURM_NTASKS: "8", ...master },
      { transport: "tcp", rank: 5, size: 8, address },
    ],
    [
      { PMI_RANK: "5", PMI_SIZE: "8", ...master },
      { transport: "tcp", rank: 5, size: 8, address },
    ],
    [
      { JOB_COMPLETION_INDEX: "2", WORLD_SIZE: "3", ...master },
      { transport: "tcp", rank: 2, size: 3, address },
    ],
    [
      { SLURM_PROCID: "5", SLURM_NTASKS: "8", PMI_RANK: "5", PMI_SIZE: "8", ...master },
      { transport: "tcp", rank: 5, size: 8, address },
    ],
    [{}, undefined],
    [{ SLURM_NTASKS: "8" }, undefined],
    [{ RANK: "0", WORLD_SIZE: "1" }, undefined],
  ])("%j", (env, launch) => {
    expect(launchFromEnvironment(env)).toEqual(launch);
  });

  it.each([
    [{ OMPI_COMM_WORLD_RANK: "1" }, "expected OMPI_COMM_WORLD_SIZE; got OMPI_COMM_WORLD_RANK alone"],
    [{ OMPI_COMM_WORLD_SIZE: "2" }, "expected OMPI_COMM_WORLD_RANK"],
    [{ RANK: "1", ...master }, "expected WORLD_SIZE"],
    [{ WORLD_SIZE: "2", ...master }, "expected RANK"],
    [{ JOB_COMPLETION_INDEX: "0", ...master }, "expected WORLD_SIZE; got JOB_COMPLETION_INDEX alone (Kubernetes)"],
    [{ SLURM_PROCID: "0", ...master }, "expected SLURM_NTASKS"],
    [{ PMI_RANK: "0", ...master }, "expected PMI_SIZE"],
    [{ RANK: "0", WORLD_SIZE: "2" }, "got no MASTER_ADDR and no MASTER_PORT"],
    [{ RANK: "0", WORLD_SIZE: "2", MASTER_ADDR: "a" }, "got no MASTER_PORT"],
    [{ RANK: "2", WORLD_SIZE: "2", ...master }, "RANK=2, WORLD_SIZE=2"],
    [{ RANK: "-1", WORLD_SIZE: "2", ...master }, 'RANK="-1"'],
    [{ RANK: "0", WORLD_SIZE: "2x", ...master }, 'WORLD_SIZE="2x"'],
    [
      { RANK: "1", WORLD_SIZE: "2", SLURM_PROCID: "0", SLURM_NTASKS: "2", ...master },
      "rank 1 of 2 by RANK and WORLD_SIZE, rank 0 of 2 by SLURM_PROCID and SLURM_NTASKS",
    ],
    [
      { RANK: "1", WORLD_SIZE: "2", OMPI_COMM_WORLD_RANK: "0", OMPI_COMM_WORLD_SIZE: "2" },
      "rank 0 of 2 by OMPI_COMM_WORLD_RANK and OMPI_COMM_WORLD_SIZE, rank 1 of 2 by RANK",
    ],
  ])("refuses %j", (env, message) => {
    expect(() => launchFromEnvironment(env)).toThrow(message);
  });

  it("is one rank where nothing is said, and needs a token over TCP", async () => {
    await using alone = await communicatorFromEnvironment({});
    expect([alone.rank, alone.size]).toEqual([0, 1]);
    const env = { RANK: "0", WORLD_SIZE: "2", ...master };
    await expect(communicatorFromEnvironment(env)).rejects.toThrow("LITHE_TOKEN_FILE");
  });
});
