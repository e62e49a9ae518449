import { expect, test } from 'vitest';
import { formatMetrics } from './prometheus.ts';
import { emptyStatistics, figuresOf, someSecond } from './test-figures.ts';

function metrics() {
  const statistics = emptyStatistics();
  someSecond(statistics);
  const request = { path: 'a', offset: 0, size: 1, milliseconds: 5 };
  return formatMetrics(figuresOf(statistics, { mountpoint: '/mnt/a "b"\\\n\udcff', requests: [request] }));
}

/** One line of values: name, labels with escapes, and a number (Prometheus, "Exposition formats", section "Text format details"). */
const sample =
  /^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?<labels>(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (?<value>-?[0-9.]+(?:e[+-]?\d+)?)$/;

test('every line is of the format, every metric has its head once, and no value is there twice', () => {
  const heads = new Map<string, string>();
  const seen = new Set<string>();
  for (const line of metrics().trimEnd().split('\n')) {
    const [, head, name, rest] = /^# (HELP|TYPE) (\w+) (.+)$/.exec(line) ?? [];
    if (head !== undefined) {
      expect(heads.has(`${head} ${name}`), line).toBe(false);
      heads.set(`${head} ${name}`, rest!);
      continue;
    }
    const { groups } = sample.exec(line) ?? {};
    expect(groups, line).toBeDefined();
    const plain = groups!['name']!.replace(/_(bucket|sum|count)$/, '');
    const type = heads.get(`TYPE ${groups!['name']}`) ?? heads.get(`TYPE ${plain}`);
    expect(type, line).toMatch(/^(counter|gauge|histogram)$/);
    if (type === 'counter') expect(groups!['name']).toMatch(/_total$/);
    expect(seen.has(line.replace(/ \S+$/, '')), line).toBe(false);
    seen.add(line.replace(/ \S+$/, ''));
  }
  expect(heads.size).toBeGreaterThan(20);
});

test('values are those that were counted, with labels, and histograms add up', () => {
  const text = metrics();
  expect(text).toContain(
    'flist_mount_info{mountpoint="/mnt/a \\"b\\"\\\\\\n\ufffd",flist="/srv/root.fl",pid="4242"} 1\n',
  );
  for (const line of [
    'flist_mounted_seconds 10',
    'flist_requests_total{kind="lookup"} 20',
    'flist_requests_total{kind="statfs"} 0',
    'flist_reads_total{from="memory"} 70',
    'flist_read_failures_total{why="late"} 1',
    'flist_read_failures_total{why="other"} 1',
    'flist_reads_waiting 1',
    'flist_store_blocks_total{store="https://blocks.example.org/"} 10',
    'flist_store_failures_total{store="dir:///srv/blocks"} 1',
    'flist_store_seconds_bucket{store="https://blocks.example.org/",le="0.016384"} 0',
    'flist_store_seconds_bucket{store="https://blocks.example.org/",le="0.032768"} 9',
    'flist_store_seconds_bucket{store="https://blocks.example.org/",le="+Inf"} 10',
    'flist_store_seconds_count{store="https://blocks.example.org/"} 10',
    'flist_store_seconds_sum{store="https://blocks.example.org/"} 0.252',
    'flist_read_seconds_count{answer="at_once"} 90',
  ])
    expect(text.split('\n')).toContain(line);
});
