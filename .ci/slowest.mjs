/** The lines that name the slowest tests, and the slowest test files, of a JSON report of vitest. */
export function slowest({ testResults }, count = 10, root = `${process.cwd()}/`) {
  const files = testResults.map(({ name, startTime, endTime }) => ({
    ms: endTime - startTime,
    what: name.replace(root, ""),
  }));
  const tests = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ duration, fullName }) => ({
      ms: duration ?? 0,
      what: `${name.replace(root, "")} › ${fullName}`,
    })),
  );
  return [...ranked("tests", tests, count), ...ranked("test files", files, count)];
}

function ranked(kind, entries, count) {
  const first = [...entries].sort((a, b) => b.ms - a.ms).slice(0, count);
  return [
    `the ${first.length} slowest ${kind}:`,
    ...first.map(({ ms, what }) => `${(ms / 1000).toFixed(1).padStart(8)} s  ${what}`),
  ];
}
