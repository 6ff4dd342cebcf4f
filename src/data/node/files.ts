/** @file Node only: files by range, and the containment of names that come from data. */
import { basename, isAbsolute, join, relative, resolve, sep } from "node:path";
import { DataError, ensure, FormatError, LimitError, PathError } from "../../errors.ts";
import {
  codeOf,
  type FileHandle,
  fileError,
  isMissing,
  listEntries,
  lookAt,
  lookAtLink,
  openRegular,
  realPath,
} from "../../file-system.ts";
import { type ByteSource, checkRange } from "../bytes.ts";

/** Opens a file that the user named. Links are followed; what is no regular file is a `PathError`. */
export function openFile(path: string): Promise<ByteSource> {
  return opened(path, true);
}

/** Opens a file that the data named. The last component must not be a link. */
export function openContained(path: string): Promise<ByteSource> {
  return opened(path, false);
}

async function opened(path: string, follow: boolean): Promise<ByteSource> {
  const { file, stats } = await openRegular(path, { follow }).catch((cause: unknown) => {
    if (!follow && codeOf(cause) === "ELOOP") throw new PathError("a data file is a link", { where: path, cause });
    if (isMissing(cause)) throw new DataError("there is no such file", { where: path, cause });
    throw cause;
  });
  return fileSource(basename(path), file, stats.size);
}

function fileSource(name: string, handle: FileHandle, size: number): ByteSource {
  return {
    name,
    size,
    async read(offset, length) {
      checkRange(name, size, offset, length);
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await handle.read(bytes, done, length - done, offset + done).catch((cause: unknown) => {
          throw fileError("read the file", name, cause);
        });
        ensure(bytesRead > 0, () => new FormatError("a file became shorter while it was read", { where: name }));
        done += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

/** The whole of a file of at most `limit` bytes. */
export async function readWhole(openSource: () => Promise<ByteSource>, limit: number): Promise<Uint8Array> {
  const source = await openSource();
  try {
    ensure(
      source.size <= limit,
      () =>
        new LimitError("a file is too large", {
          expected: `at most ${limit} bytes`,
          got: `${source.size} bytes`,
          where: source.name,
        }),
    );
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}

/**
 * The path of a file that data names relative to `folder`. Absolute names, `..`, backslashes, drives, control
 * characters, links anywhere on the way and whatever leaves the folder are a `PathError`.
 */
export async function containedPath(folder: string, name: string): Promise<string> {
  const wrong = unsafeName(name);
  if (wrong)
    throw new PathError(`a file name in the data ${wrong}`, { got: JSON.stringify(name.slice(0, 200)), where: folder });
  const root = await realPath(folder);
  const path = resolve(root, name);
  const real = await realPath(path).catch((cause: unknown) => {
    if (!isMissing(cause)) throw cause;
    throw new DataError("a file that the data names is missing", { got: JSON.stringify(name), where: folder, cause });
  });
  const inside = relative(root, real);
  if (real !== path || isAbsolute(inside) || inside.startsWith(`..${sep}`) || inside === "..") {
    throw new PathError("a file name in the data goes through a link", { got: JSON.stringify(name), where: folder });
  }
  return path;
}

function unsafeName(name: string): string | undefined {
  if (name === "" || name.length > 1024) return "is empty or too long";
  if (/[\0-\x1f\x7f]/.test(name)) return "has control characters";
  if (name.includes("\\") || /^[A-Za-z]:/.test(name) || name.startsWith("/")) return "is not relative";
  if (name.split("/").some((part) => part === ".." || part === "." || part === ""))
    return 'has an empty, "." or ".." part';
  return undefined;
}

export interface FolderEntry {
  readonly name: string;
  readonly path: string;
  readonly kind: "file" | "folder" | "link" | "other";
}

/** The entries of a folder in code-unit order of their names, hidden ones left out. */
export async function listFolder(folder: string): Promise<readonly FolderEntry[]> {
  const entries = await listEntries(folder);
  const visible = entries.filter((entry) => !entry.name.startsWith("."));
  const sorted = visible.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return sorted.map((entry) => ({
    name: entry.name,
    path: join(folder, entry.name),
    kind: entry.isFile() ? "file" : entry.isDirectory() ? "folder" : entry.isSymbolicLink() ? "link" : "other",
  }));
}

/** What stands at a path that the user named. */
export async function kindOf(path: string): Promise<"file" | "folder"> {
  const facts = await lookAt(path);
  if (!facts) throw new DataError("there is no data at this path", { where: path });
  if (facts.isDirectory()) return "folder";
  ensure(facts.isFile(), () => new PathError("the data is neither a file nor a folder", { where: path }));
  return "file";
}

/** Whether a regular file, and no link, stands at the path. */
export async function isRegularFile(path: string): Promise<boolean> {
  return (await lookAtLink(path))?.isFile() ?? false;
}
