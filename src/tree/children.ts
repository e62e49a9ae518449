/**
 * Which rows of a table are in which directory, in the byte order of their names: those in the directory of row `i` are
 * `childRows` from `childStart[i]` up to, not including, `childStart[i + 1]`.
 */
export interface Children {
  readonly childStart: Uint32Array;
  readonly childRows: Uint32Array;
}

/**
 * The rows by their directories, in shared memory.
 * @param parent the row of the directory of each row; what is its own parent, as the root in row 0 is, is in none
 * @param compare orders the names of two rows
 */
export function childrenOf(parent: Uint32Array, compare: (row: number, other: number) => number): Children {
  const childStart = new Uint32Array(new SharedArrayBuffer((parent.length + 1) * 4));
  parent.forEach((directory, row) => {
    if (directory !== row) childStart[directory]!++;
  });
  let count = 0;
  for (let row = 0; row <= parent.length; row++) {
    count += childStart[row]!;
    childStart[row] = count; // where those of the row end, until all are in their places
  }
  const childRows = new Uint32Array(new SharedArrayBuffer(count * 4));
  for (let row = parent.length - 1; row >= 0; row--) {
    const directory = parent[row]!;
    if (directory !== row) childRows[--childStart[directory]!] = row;
  }
  for (let row = 0; row < parent.length; row++) {
    const below = childRows.subarray(childStart[row], childStart[row + 1]);
    if (!below.every((child, i) => i === 0 || compare(below[i - 1]!, child) < 0)) below.sort(compare);
  }
  return { childStart, childRows };
}

/** Every row from the root down: a directory before what is in it, names of one directory in their order. */
export function* walkRows({ childStart, childRows }: Children): Generator<{ row: number; depth: number }> {
  yield { row: 0, depth: 0 };
  /** The places in `childRows` that come next, and where they end, from the root down. */
  const pending = [{ next: childStart[0]!, end: childStart[1]! }];
  for (let below = pending.at(-1); below !== undefined; below = pending.at(-1)) {
    if (below.next === below.end) {
      pending.pop();
      continue;
    }
    const row = childRows[below.next++]!;
    yield { row, depth: pending.length };
    const children = { next: childStart[row]!, end: childStart[row + 1]! };
    if (children.next < children.end) pending.push(children);
  }
}
