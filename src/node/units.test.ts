import { describe, expect, it } from 'vitest';
import { formatUnitProblem, parseUnit } from './units.ts';

const problemsOf = (text: string) => parseUnit('x.yaml', 'x', text).problems.map(formatUnitProblem);

describe('a unit file', () => {
  it('has zinit defaults for everything but exec', () => {
    expect(parseUnit('udevd.yaml', 'udevd', 'exec: "udevd --debug"').unitFile?.unit).toEqual({
      name: 'udevd',
      exec: ['udevd', '--debug'],
      test: [],
      oneshot: false,
      after: [],
      stopSignal: 'SIGTERM',
      log: 'ring',
      env: {},
      directory: '/',
      shutdownTimeout: 10,
    });
  });

  it('may say everything', () => {
    const text = `
exec: sh -c 'a | b'
test: "test -e /x"
oneshot: true
after: [one, two]
signal:
  stop: sigint
log: stdout
env: { PORT: "8080" }
dir: /srv
shutdown_timeout: 3
`;
    const parsed = parseUnit('x.yaml', 'x', text);
    expect(parsed.problems).toEqual([]);
    expect(parsed.unitFile?.afterLines).toEqual([5, 5]);
    expect(parsed.unitFile?.unit).toEqual({
      name: 'x',
      exec: ['sh', '-c', 'a | b'],
      test: ['test', '-e', '/x'],
      oneshot: true,
      after: ['one', 'two'],
      stopSignal: 'SIGINT',
      log: 'stdout',
      env: { PORT: '8080' },
      directory: '/srv',
      shutdownTimeout: 3,
    });
  });

  it.each([
    ['exec: true', 'x.yaml:1: "exec" must be a string: put it in quotes'],
    ['exec: "a"\ntest: 1', 'x.yaml:2: "test" must be a string: put it in quotes'],
    ['exec: "a"\noneshot: "true"', 'x.yaml:2: "oneshot" must be true or false'],
    ['exec: "a"\nafter: b', 'x.yaml:2: "after" must be a list of strings'],
    ['exec: "a"\nafter:', 'x.yaml:2: "after" must be a list of strings'],
    ['exec: "a"\nafter:\n  - b\n  - 1', 'x.yaml:4: "after" must hold strings: put them in quotes'],
    ['exec: "a"\nlog: null', 'x.yaml:2: "log" must be a string: put it in quotes'],
    ['exec: "a"\nlog: "null"', 'x.yaml:2: "log" is ring, stdout, none; not "null"'],
    ['exec: "a"\nenv: { PORT: 8080 }', 'x.yaml:2: "PORT" must be a string: put it in quotes'],
    ['exec: "a"\nenv: b', 'x.yaml:2: "env" must hold keys and values'],
    [
      'exec: "a"\nsignal: { stop: sigterms }',
      'x.yaml:2: there is no signal "sigterms"; did you mean SIGTERM?',
    ],
    ['exec: "a"\nshutdown_timeout: -1', 'x.yaml:2: "shutdown_timeout" must be a whole number'],
    ['exec: "a"\ndir: 7', 'x.yaml:2: "dir" must be a string: put it in quotes'],
    ['oneshot: true', 'x.yaml:1: there is no "exec"; it is the command to run'],
    ['exec: ""', 'x.yaml:1: "exec" names no program'],
    [`exec: "it's"`, `x.yaml:1: cannot split "it's" into words: a ' is not closed`],
    ['', 'x.yaml:1: a unit file holds keys and values, such as exec: "…"'],
    ['- exec', 'x.yaml:1: a unit file holds keys and values, such as exec: "…"'],
    ['exec: "a"\nexec: "b"', 'x.yaml:2: Map keys must be unique'],
  ])('%j is an error at its line', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
    expect(parseUnit('x.yaml', 'x', text).unitFile).toBeUndefined();
  });

  it('with an unknown key is used, with a warning and a suggestion', () => {
    const parsed = parseUnit('x.yaml', 'x', 'exec: "a"\none_shot: true\n');
    expect(parsed.problems).toEqual([
      {
        severity: 'warning',
        file: 'x.yaml',
        line: 2,
        message: 'unknown key "one_shot" means nothing; did you mean "oneshot"?',
      },
    ]);
    expect(parsed.unitFile?.unit.oneshot).toBe(false);
  });

  it('of hostile YAML is an error, not a crash', () => {
    const bomb = `a: &a [x,x]\n${[...'bcdefghij'].map((name, i) => `${name}: &${name} [*${'abcdefghi'[i]},*${'abcdefghi'[i]}]`).join('\n')}\nexec: *j\n`;
    for (const text of [bomb, 'exec: *nothing', '{'.repeat(500), '\0', 'exec: "a"\n---\nexec: "b"'])
      expect(problemsOf(text).length).toBeGreaterThan(0);
  });
});
