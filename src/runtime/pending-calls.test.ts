/** @file How long a call may take. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LimitError, RuntimeError } from "../errors.ts";
import { PendingCalls, type TimeLimit } from "./pending-calls.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const limit: TimeLimit = { load: 3000, run: 1000, grows: false };

function watched(time: TimeLimit | undefined) {
  const late = vi.fn();
  const calls = new PendingCalls(time, { name: "m.onnx" }, late);
  return { late, calls, call: (name: "open" | "run" | "time") => calls.add(name, vi.fn(), vi.fn()) };
}

it("loading and a run have their own bounds, and an answer in time ends the wait", () => {
  const { late, calls, call } = watched(limit);
  const first = call("open");
  vi.advanceTimersByTime(2900);
  calls.take(first);
  call("run");
  vi.advanceTimersByTime(900);
  expect(late).not.toHaveBeenCalled();
  vi.advanceTimersByTime(400);
  expect(late).toHaveBeenCalledWith(expect.any(LimitError));
  expect(late.mock.calls[0]![0]).toMatchObject({
    expected: "at most 1 s for one run",
    where: 'running model "m.onnx"',
  });
});

it("every run of a call has the whole time", () => {
  const { late, calls, call } = watched(limit);
  const id = call("time");
  for (let run = 0; run < 5; run++) {
    vi.advanceTimersByTime(900);
    calls.advance(id);
  }
  expect(late).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1300);
  expect(late).toHaveBeenCalledOnce();
});

it("a bound that nobody gave grows with the slowest run", () => {
  const { late, calls, call } = watched({ ...limit, grows: true });
  const slow = call("run");
  vi.advanceTimersByTime(900);
  calls.take(slow);
  call("run");
  vi.advanceTimersByTime(8000);
  expect(late).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2000);
  expect(late).toHaveBeenCalledOnce();
});

it("without a limit nothing is late", () => {
  const { late, call } = watched(undefined);
  call("run");
  vi.advanceTimersByTime(1e9);
  expect(late).not.toHaveBeenCalled();
});

it("an end is an error of the runtime, or of the limit that was broken", () => {
  const { calls } = watched(limit);
  expect(calls.endedBy({ reason: "SIGSEGV" })).toBeInstanceOf(RuntimeError);
  expect(calls.endedBy({ reason: "much", limit: "memory" })).toBeInstanceOf(LimitError);
});
