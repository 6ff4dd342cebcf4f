/** @file Sparsity in training: algorithms of `fit`. One algorithm is one file and one line in `sparseTraining`; the law iterates over it. */
import { gradualSparsity } from "./gradual.ts";
import { lotteryTicket } from "./lottery-ticket.ts";
import { masked } from "./masked.ts";

export const sparseTraining = { masked, gradualSparsity, lotteryTicket } as const;

export { type Course, type CourseName, courses } from "./course.ts";
export type { GradualOptions } from "./gradual.ts";
export type { LotteryTicketOptions } from "./lottery-ticket.ts";
export { rewound } from "./rewound.ts";
export { gradualSparsity, lotteryTicket, masked };
