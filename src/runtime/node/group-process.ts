/** @file Entry of the child process that holds the ranks of a group, each in a thread, so that they can share memory. */
import { printable } from "../../printable.ts";
import { type GroupSpec, groupChannel } from "../group/channel.ts";
import type { Channel, RankSpec, Request } from "../protocol.ts";
import { threadChannel } from "./channels.ts";
import { serveProcess } from "./serve-process.ts";

serveProcess<GroupSpec>((reply) => {
  let group: Channel<GroupSpec> | undefined;
  const opened = ({ args }: Request<GroupSpec>): Channel<GroupSpec> => {
    const { ranks } = args as GroupSpec;
    const channel = groupChannel(ranks.map(() => threadChannel<RankSpec>("rank.js")));
    channel.listen(reply, ({ reason }) => {
      process.stderr.write(`${printable(reason)}\n`, () => process.exit(1));
    });
    return channel;
  };
  return (request) => {
    group ??= opened(request);
    group.busy(true);
    group.post(request, []);
  };
});
