/** @file The journal of a search: a file of JSON lines, one for each evaluation. Node only. */
import { createHash } from "node:crypto";
import { appendText, writeAtomically } from "../atomic-file.ts";
import { FormatError, UsageError } from "../errors.ts";
import { isMissing, readText } from "../file-system.ts";
import type { SearchStore } from "./store.ts";

const VERSION = 1;

/**
 * The journal at `path`, of a search whose values JSON can tell; numbers that are not finite are kept, too. `config` is all that the values
 * depend on beside the candidate. A line that was being written when the process ended counts for nothing.
 *
 * @throws UsageError for a journal of another configuration, FormatError for a file that is no journal
 */
export async function searchJournal<V>(path: string, config: object): Promise<SearchStore<V>> {
  const id = createHash("sha256").update(JSON.stringify(config)).digest("hex");
  const kept = await readEntries<V>(path, id);
  return {
    load: async (name) => kept.get(name),
    async keep(name, value) {
      kept.set(name, value);
      await appendText(path, `${JSON.stringify({ name, value }, written)}\n`);
    },
  };
}

async function readEntries<V>(path: string, id: string): Promise<Map<string, V>> {
  const text = await readText(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (text === undefined) {
    await writeAtomically(path, `${JSON.stringify({ version: VERSION, id })}\n`);
    return new Map();
  }
  const [head = "", ...lines] = text.split("\n");
  checkHead(parsed(head), path, id);
  // What stands behind the last line break is a line that was not finished; the next one must not be added to it.
  const torn = lines.pop() ?? "";
  if (torn !== "") await writeAtomically(path, text.slice(0, text.length - torn.length));
  return new Map(lines.map((line, i) => entryOf<V>(parsed(line), `${path}, line ${i + 2}`)));
}

function checkHead(head: unknown, path: string, id: string): void {
  const { version, id: found } = fieldsOf(head);
  if (typeof found !== "string" || version !== VERSION)
    throw new FormatError("the file is no journal of a search", {
      expected: `version ${VERSION}`,
      got: version === undefined ? "none" : String(version),
      where: path,
      hint: "Name another file.",
    });
  if (found === id) return;
  throw new UsageError("the journal belongs to a search of another configuration", {
    where: path,
    hint: "Search with the same settings, or name another file.",
  });
}

function entryOf<V>(entry: unknown, where: string): [string, V] {
  const { name, value } = fieldsOf(entry);
  if (typeof name === "string" && value !== undefined) return [name, value as V];
  throw new FormatError("the journal of the search is damaged", { where, hint: "Name another file." });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line, readNumber);
  } catch {
    return undefined;
  }
}

const notFinite = ["Infinity", "-Infinity", "NaN"];

/** JSON has no name for these numbers. */
function written(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? { notFinite: String(value) } : value;
}

function readNumber(_: string, value: unknown): unknown {
  const name = fieldsOf(value).notFinite;
  return typeof name === "string" && notFinite.includes(name) ? Number(name) : value;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
