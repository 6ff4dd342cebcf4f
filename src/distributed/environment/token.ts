/** @file The secret that the ranks of a job share. Node only. */
import { UsageError } from "../../errors.ts";
import { readText } from "../../file-system.ts";

/**
 * The token in the file that `LITHE_TOKEN_FILE` names, else in `LITHE_TOKEN`. It is never read from the command line, which all users of a machine
 * can see.
 *
 * @throws UsageError where there is none
 */
export async function tokenFromEnvironment(env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const { LITHE_TOKEN_FILE: path, LITHE_TOKEN: value } = env;
  const token = path ? (await readText(path)).trim() : value;
  if (token) return token;
  throw new UsageError("ranks need a token that others do not know", {
    expected: "a file named by LITHE_TOKEN_FILE, or the token in LITHE_TOKEN",
    got: "neither",
    hint: "`openssl rand -hex 32 > token` makes one; every rank gets the same.",
  });
}
