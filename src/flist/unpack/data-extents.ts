const page = 4096;
/** Zeros worth a hole, in bytes. A smaller one costs a call and saves next to nothing. */
const leastHole = 65536;
const zeros = Buffer.alloc(page);

/** The parts of a block that are to be written; what lies between them is zeros, and becomes a hole of the file. */
export function dataExtents(plain: Uint8Array): readonly (readonly [start: number, end: number])[] {
  const extents: [number, number][] = [];
  let start = 0;
  let dataEnd = 0;
  for (let at = 0; at < plain.length; at += page) {
    if (isZero(plain, at)) continue;
    if (at - dataEnd >= leastHole) {
      if (dataEnd > start) extents.push([start, dataEnd]);
      start = at;
    }
    dataEnd = Math.min(at + page, plain.length);
  }
  const end = plain.length - dataEnd >= leastHole ? dataEnd : plain.length;
  if (end > start) extents.push([start, end]);
  return extents;
}

function isZero(plain: Uint8Array, at: number): boolean {
  if (plain[at] !== 0) return false; // most pages end here
  const bytes = plain.subarray(at, at + page);
  return zeros.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
}
