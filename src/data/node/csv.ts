/** @file Node only: tables of numbers. */
import { nth } from "../../checked.ts";
import { DataError, ensure } from "../../errors.ts";
import { csvColumns, csvDataset } from "../formats/csv.ts";
import { labelsAt } from "./arrays.ts";
import { openFile } from "./files.ts";
import { type DataFormat, portList } from "./format.ts";

export const csv: DataFormat = {
  name: "CSV",
  recognisedBy: "a file *.csv or *.tsv, one sample per row, numeric columns as the input",
  options: ["labels", "columns", "missing", "port"],
  recognises: ({ kind, name }) => kind === "file" && /\.(csv|tsv)$/.test(name),
  async open({ path, name }, { labels, columns, missing, port }) {
    const separator = name.endsWith(".tsv") ? "\t" : ",";
    const open = () => openFile(path);
    const ports = portList(port);
    ensure(
      ports === undefined || ports.length === 1,
      () => new DataError("a table feeds one input, and the model has several", { hint: "Use npz or JSONL." }),
    );
    const isColumn = labels !== undefined && (await csvColumns(open, separator)).includes(labels);
    return csvDataset(open, {
      separator,
      ...(labels !== undefined && (isColumn ? { labelColumn: labels } : { labels: await labelsAt(labels) })),
      ...(columns && { columns }),
      ...(missing && { missing }),
      ...(ports && { port: nth(ports, 0) }),
    });
  },
};
