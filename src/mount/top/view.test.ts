import { expect, test } from 'vitest';
import { emptyStatistics, figuresOf, someSecond } from '../stats/test-figures.ts';
import { mountLines } from './view.ts';

test('between two looks there are rates, hit rates, stores with latencies, and what waits', () => {
  const statistics = emptyStatistics();
  someSecond(statistics);
  const before = figuresOf(statistics);
  someSecond(statistics);
  someSecond(statistics);
  const requests = Array.from({ length: 10 }, (_, i) => ({
    path: i === 0 ? 'odd\u001b[2J' : `usr/lib/${i}`,
    offset: i * 131072,
    size: 131072,
    milliseconds: 1502 - i / 10,
  }));
  const after = figuresOf(statistics, { now: before.now + 2000, requests });
  expect(mountLines({ before, after })).toEqual([
    '/mnt/root  /srv/root.fl  pid 4242, mounted for 12.0 s',
    '  requests  120/s  lookup 20/s  read 100/s',
    '  reads     100/s  100 MiB/s  from memory 70 %  from the cache 20 %  waited 10 %  failed 4 (late 2)',
    '  latency   at once < 32 µs, 99 % < 32 µs  waited < 33 ms, 99 % < 33 ms',
    '  blocks    asked 10/s  ahead 0/s, used -  prefetched 0/s  failed 0  kept 0 B/s',
    '',
    '  blocks       bytes   median      99 %  failures  store',
    '    10/s  10.0 MiB/s  < 33 ms  < 131 ms         0  https://blocks.example.org/',
    '     0/s       0 B/s        -         -         3  dir:///srv/blocks',
    '',
    '  waiting    bytes             file',
    '   1.50 s  128 KiB  at 0       /odd\\u{1b}[2J',
    ...Array.from({ length: 7 }, (_, i) => {
      const place = `at ${(i + 1) * 131072}`.padEnd(9);
      return `   1.50 s  128 KiB  ${place}  /usr/lib/${i + 1}`;
    }),
    '  and 2 more',
  ]);
});

test('with one look it is all since the mount, and what has done nothing has no figures', () => {
  const statistics = emptyStatistics();
  someSecond(statistics);
  const lines = mountLines({ before: undefined, after: figuresOf(statistics) });
  expect(lines[1]).toBe('  requests  12/s  lookup 2.0/s  read 10/s');
  const none = mountLines({ before: undefined, after: figuresOf(emptyStatistics()) });
  expect(none[2]).toContain('from memory -  from the cache -  waited -');
});
