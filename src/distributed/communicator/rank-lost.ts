/** @file The error of a rank that does not answer any more. */
import { LitheError } from "../../errors.ts";

/** A rank ended, or was closed, while others needed it. */
export class RankLostError extends LitheError {
  override readonly name = "RankLostError";
  override readonly code = "LITHE_RANK_LOST";
  /** The number of the rank that is gone. */
  readonly rank: number;
  /** The name or address of its machine, where the transport knows it. */
  readonly host: string | undefined;

  constructor(rank: number, reason: string, host?: string) {
    super(`rank ${rank} is gone`, {
      got: reason,
      ...(host !== undefined && { where: host }),
      hint: "Start the job again; training goes on from its last checkpoint.",
    });
    this.rank = rank;
    this.host = host;
  }
}
