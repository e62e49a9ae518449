import { constants } from 'node:os';
import { isMap, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { describeError } from '../base/errors.ts';
import { closestName } from '../base/names.ts';
import { splitWords } from './words.ts';
import { YamlFields } from './yaml-fields.ts';

/** A service of the node as its unit file describes it, with zinit's meaning of every key. */
export interface Unit {
  /** The stem of the file's name. */
  readonly name: string;
  /** The program and its arguments; never empty. */
  readonly exec: readonly string[];
  /** A command that exits 0 once the daemon does its work; empty when being started is enough. */
  readonly test: readonly string[];
  /** Run once and never again. */
  readonly oneshot: boolean;
  /** The units that must be satisfied before this one starts. */
  readonly after: readonly string[];
  readonly stopSignal: NodeJS.Signals;
  readonly log: LogTarget;
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Seconds that a shutdown gives the unit after its stop signal. */
  readonly shutdownTimeout: number;
}

const logTargets = ['ring', 'stdout', 'none'] as const;
export type LogTarget = (typeof logTargets)[number];

/** Something in a unit file that a person must look at. An error means that there is no such unit. */
export interface UnitProblem {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** 1 for the first line. */
  readonly line: number;
  readonly message: string;
}

/** A unit with the places in its file that later checks speak of. */
export interface UnitFile {
  readonly unit: Unit;
  readonly file: string;
  /** The line of each name in `after`, in the same order. */
  readonly afterLines: readonly number[];
}

export interface ParsedUnit {
  /** None when there is an error among the problems. */
  readonly unitFile?: UnitFile;
  readonly problems: readonly UnitProblem[];
}

/** `FILE:LINE: message`, as compilers say it. */
export function formatUnitProblem({ file, line, message }: UnitProblem): string {
  return `${file}:${line}: ${message}`;
}

const keys = ['exec', 'test', 'oneshot', 'after', 'signal', 'log', 'env', 'dir', 'shutdown_timeout'];

/**
 * Reads a unit file as strictly as zinit 0.2 does: commands, `dir` and the values of `env` must be YAML strings, `log` is
 * `ring`, `stdout` or `none`, unknown keys mean nothing. What zinit finds out only when it starts the unit (a quote that
 * is not closed) is an error here.
 * @param file how problems name the file
 * @param name of the unit
 */
export function parseUnit(file: string, name: string, text: string): ParsedUnit {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const broken = document.errors[0];
  const problem = (offset: number, message: string): ParsedUnit => ({
    problems: [{ severity: 'error', file, line: Math.max(lines.linePos(offset).line, 1), message }],
  });
  if (broken) return problem(broken.pos[0], broken.message.split('\n')[0]!.replace(/ at line \d+.*$/, ''));
  if (!isMap(document.contents)) return problem(0, 'a unit file holds keys and values, such as exec: "…"');
  return readUnit(file, name, document.contents, lines);
}

function readUnit(file: string, name: string, map: YAMLMap, lines: LineCounter): ParsedUnit {
  const fields = new YamlFields(file, map, lines);
  fields.warnOfKeysBut(keys);
  const after = fields.strings('after');
  const unit: Unit = {
    name,
    exec: readCommand(fields, 'exec'),
    test: readCommand(fields, 'test'),
    oneshot: fields.boolean('oneshot', false),
    after: after.map(({ text }) => text),
    stopSignal: readStopSignal(fields),
    log: readLogTarget(fields),
    env: fields.stringMap('env'),
    directory: fields.string('dir', '') || '/',
    shutdownTimeout: fields.count('shutdown_timeout', 10),
  };
  if (!map.has('exec')) fields.error('exec', 'there is no "exec"; it is the command to run');
  else if (unit.exec.length === 0 && !fields.failed) fields.error('exec', '"exec" names no program');
  if (fields.failed) return { problems: fields.problems };
  return { unitFile: { unit, file, afterLines: after.map(({ line }) => line) }, problems: fields.problems };
}

function readCommand(fields: YamlFields, key: 'exec' | 'test'): string[] {
  try {
    return splitWords(fields.string(key, ''));
  } catch (error) {
    fields.error(key, describeError(error));
    return [];
  }
}

function readStopSignal(fields: YamlFields): NodeJS.Signals {
  const text = fields.inner('signal')?.string('stop', 'sigterm') ?? 'sigterm';
  const signal = text.toUpperCase();
  if (signal in constants.signals) return signal as NodeJS.Signals;
  const close = closestName(signal, Object.keys(constants.signals));
  fields.error('signal', `there is no signal "${text}"${close ? `; did you mean ${close}?` : ''}`);
  return 'SIGTERM';
}

function readLogTarget(fields: YamlFields): LogTarget {
  const text = fields.string('log', 'ring');
  const target = logTargets.find((known) => known === text);
  if (target === undefined) fields.error('log', `"log" is ${logTargets.join(', ')}; not "${text}"`);
  return target ?? 'ring';
}
