/** @file The file of a cluster. */
import { type Cluster, clusterFrom } from "../../distributed/index.ts";
import { UsageError } from "../../errors.ts";
import { readText } from "../../file-system.ts";

/** @throws UsageError for a file that cannot be read, is no JSON, or describes no cluster */
export async function readCluster(path: string): Promise<Cluster> {
  const text = await readText(path).catch((cause: Error) => {
    throw new UsageError("the description of the cluster cannot be read", { got: cause.message, where: path, cause });
  });
  let described: unknown;
  try {
    described = JSON.parse(text);
  } catch (cause) {
    throw new UsageError("the description of the cluster is not JSON", { where: path, cause });
  }
  return clusterFrom(described);
}
