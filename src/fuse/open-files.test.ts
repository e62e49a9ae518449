import { closeSync, fstatSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { OpenFiles } from './open-files.ts';
import { resentBit } from './protocol.ts';
import type { OpenAnswer } from './reply.ts';

const modes: readonly OpenAnswer[] = [
  { mode: 'cached' },
  { mode: 'direct' },
  { mode: 'passthrough', backing: 5 },
];

function tableFile(): number {
  const path = join(tmpdir(), `open-files-${process.pid}-${Math.random()}`);
  const fd = openSync(path, 'wx+');
  rmSync(path);
  onTestFinished(() => closeSync(fd));
  return fd;
}

test('a table that takes over knows what its predecessor knew, at any moment', () => {
  const step = fc.record({ node: fc.integer({ min: 1, max: 4 }), opens: fc.boolean(), mode: fc.nat(2) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.infiniteStream(fc.boolean()), (steps, dies) => {
      const fd = tableFile();
      const model = new Map<number, OpenAnswer[]>();
      let table = new OpenFiles(fd);
      let unique = 0n;
      for (const { node, opens, mode } of steps) {
        unique += 2n;
        const open = model.get(node) ?? [];
        const request = (asked: bigint) => {
          if (opens) expect(table.open(node, asked, () => modes[mode]!)).toEqual(open[0] ?? modes[mode]);
          else table.close(node, asked, (answer) => expect([answer]).toEqual(open));
        };
        request(unique);
        const isRepeated = dies.next().value;
        if (isRepeated) {
          // The server counted it, and died before it answered: the next one is asked again.
          table = new OpenFiles(fd);
          request(unique | resentBit);
        }
        if (opens) model.set(node, [...open, open[0] ?? modes[mode]!]);
        else model.set(node, open.slice(1));
        const expected = [...model].filter(([, open]) => open.length > 0);
        expect(new Map(table)).toEqual(new Map(expected.map(([node, open]) => [node, open[0]])));
      }
    }),
  );
});

test('a refusal opens nothing', () => {
  const table = new OpenFiles();
  expect(table.open(1, 2n, () => 13)).toBe(13);
  expect(table.size).toBe(0);
});

test('the file of a table grows with what is open at once, not with time', () => {
  const fd = tableFile();
  const table = new OpenFiles(fd);
  for (let i = 0; i < 1000; i++) {
    for (const node of [i, i + 1]) table.open(node, 2n, () => modes[2]!);
    for (const node of [i, i + 1]) table.close(node, 4n, () => {});
  }
  expect(fstatSync(fd).size).toBe(64);
});
