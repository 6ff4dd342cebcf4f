import { expect, it } from "vitest";
import * as z from "zod";
import { beside } from "./condition.ts";
import { fieldsOf, only, setting, unwrapped } from "./setting.ts";
import { flag, text, whole } from "./values.ts";

const schema = z.strictObject({
  out: setting("-o, --out <file>", "a file", text().exactOptional(), { role: "place" }),
  rounds: only(beside("--out"), setting("--rounds <n>", "how often", whole(1).default(3))),
  fast: setting("--fast", "at once", flag().exactOptional()),
  hidden: z.number().exactOptional(),
});

it("a setting is told by its flag; what has none is for files alone", () => {
  expect(fieldsOf(schema).map(({ name, facts }) => [name, facts])).toEqual([
    ["out", { flag: "--out", short: "-o", placeholder: "file", description: "a file", role: "place" }],
    [
      "rounds",
      {
        flag: "--rounds",
        placeholder: "n",
        description: "with --out: how often",
        condition: expect.objectContaining({ label: "with --out" }),
      },
    ],
    ["fast", { flag: "--fast", description: "at once" }],
  ]);
  expect(() => setting("out", "no flag", text())).toThrow(/a flag is written as/);
});

it("a schema is unwrapped to its values, with what is taken when none is given", () => {
  const { out, rounds } = schema.shape;
  expect(unwrapped(out)).toMatchObject({ isRequired: false, schema: expect.any(z.ZodString) });
  expect(unwrapped(rounds)).toMatchObject({ isRequired: false, usual: 3 });
  expect(unwrapped(whole(1))).toMatchObject({ isRequired: true });
});
