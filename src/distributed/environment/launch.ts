/** @file Which rank this process is, as its launcher says in the environment. Node only. */
import { UsageError } from "../../errors.ts";

/** How a process was launched: by Open MPI, or by something else that says where rank 0 is. */
export type Launch =
  | { readonly transport: "mpi"; readonly rank: number; readonly size: number }
  | { readonly transport: "tcp"; readonly rank: number; readonly size: number; readonly address: string };

type Environment = Readonly<Record<string, string | undefined>>;

interface Launcher {
  readonly name: string;
  readonly rank: string;
  readonly size: string;
}

const openMpi: Launcher = { name: "Open MPI", rank: "OMPI_COMM_WORLD_RANK", size: "OMPI_COMM_WORLD_SIZE" };
const plain: Launcher = { name: "torchrun's names", rank: "RANK", size: "WORLD_SIZE" };

/** Those whose ranks meet at MASTER_ADDR:MASTER_PORT. */
const launchers: readonly Launcher[] = [
  plain,
  { name: "Kubernetes", rank: "JOB_COMPLETION_INDEX", size: "WORLD_SIZE" },
  { name: "Slurm", rank: "SLURM_PROCID", size: "SLURM_NTASKS" },
  { name: "PMI", rank: "PMI_RANK", size: "PMI_SIZE" },
];

interface Place {
  readonly launcher: Launcher;
  readonly rank: number;
  readonly size: number;
}

/**
 * Reads `OMPI_COMM_WORLD_RANK` and `_SIZE`; else `RANK`, `JOB_COMPLETION_INDEX` (both with `WORLD_SIZE`), `SLURM_PROCID` and `SLURM_NTASKS`, or
 * `PMI_RANK` and `PMI_SIZE`, with `MASTER_ADDR` and `MASTER_PORT`. Nothing where the process was launched alone.
 *
 * @throws UsageError for settings that are incomplete, no numbers, or contradict each other
 */
export function launchFromEnvironment(env: Environment): Launch | undefined {
  const world = placeOf(openMpi, env);
  const own = placeOf(plain, env);
  if (world) {
    if (own) requireSame(world, own);
    return { transport: "mpi", rank: world.rank, size: world.size };
  }
  const places = launchers.flatMap((launcher) => placeOf(launcher, env) ?? []);
  const [place] = places;
  if (!place) return requireNothing(env);
  for (const other of places) requireSame(place, other);
  const { rank, size } = place;
  const { MASTER_ADDR: host, MASTER_PORT: port } = env;
  if (host && port) return { transport: "tcp", rank, size, address: `${host}:${port}` };
  if (size === 1) return undefined;
  throw new UsageError("ranks have to know where rank 0 listens", {
    expected: "MASTER_ADDR and MASTER_PORT",
    got: `no ${[host ? "" : "MASTER_ADDR", port ? "" : "MASTER_PORT"].filter(Boolean).join(" and no ")}`,
  });
}

function placeOf(launcher: Launcher, env: Environment): Place | undefined {
  const [rank, size] = [env[launcher.rank], env[launcher.size]];
  if (!rank) return undefined;
  if (!size) {
    throw new UsageError("the number of ranks is missing", {
      expected: launcher.size,
      got: `${launcher.rank} alone (${launcher.name})`,
    });
  }
  const place = { launcher, rank: numberIn(launcher.rank, rank), size: numberIn(launcher.size, size) };
  if (place.rank < place.size) return place;
  throw new UsageError("a rank is below the number of ranks", {
    got: `${launcher.rank}=${rank}, ${launcher.size}=${size}`,
  });
}

function numberIn(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError("a setting of the launcher is no whole number", { got: `${name}=${JSON.stringify(text)}` });
}

function requireSame(a: Place, b: Place): void {
  if (a.rank === b.rank && a.size === b.size) return;
  const told = ({ launcher, rank, size }: Place): string =>
    `rank ${rank} of ${size} by ${launcher.rank} and ${launcher.size}`;
  throw new UsageError("the environment names two ranks", {
    got: `${told(a)}, ${told(b)}`,
    hint: "Unset what belongs to another launcher.",
  });
}

/** A size without a rank was meant for something. */
function requireNothing(env: Environment): undefined {
  const lone = [openMpi, plain].find(({ size }) => env[size]);
  if (!lone) return undefined;
  throw new UsageError("the rank is missing", { expected: lone.rank, got: `${lone.size} alone` });
}
